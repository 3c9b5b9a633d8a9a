import { MAX_OUTPUT_BYTES, MAX_RECORD_BYTES } from "@loom/api";
import { LoomApiError } from "@loom/api/client";
import type { ThreadsClient } from "@loom/api/threads-client";
import {
  type RecordsAnswer,
  RemoteError,
  type ThreadRemote,
  type ThreadVersion,
  type WriteAnswer,
} from "./thread-remote.ts";

/** The threads of a Loom server, in the words of the sync. */
export function serverRemote(client: ThreadsClient): ThreadRemote {
  return {
    name: client.server,
    maxRecordBytes: MAX_RECORD_BYTES,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    create: (id, records, call) => write(() => client.create(id, records, call)),
    append: (id, expected, records, call) => write(() => client.append(id, expected, records, call)),
    purge: (id, expected, call) => write(() => client.purge(id, expected, call)),
    records: (id, after, call) =>
      answer<RecordsAnswer>(async () => {
        const { records, version } = await client.records(id, after, call);
        return { type: "records", records, version };
      }, typed),
    digest: (id, at, call) =>
      answer(
        async () => (await client.digest(id, at, call)).digest ?? undefined,
        () => undefined,
      ),
    version: (id, call) =>
      answer<ThreadVersion | "missing" | "gone">(
        async () => {
          const { version, digest } = await client.digest(id, undefined, call);
          return { version, digest: digest ?? "" };
        },
        (fate) => fate,
      ),
    setVisibility: (id, visibility, call) =>
      answer<void>(
        async () => void (await client.setVisibility(id, { visibility }, call)),
        () => undefined,
      ),
    changes: (since, call) => answer(() => client.changes(since, call)),
    missingOutputs: (id, names, call) =>
      answer(
        () => client.missingOutputs(id, names, call),
        () => [],
      ),
    putOutput: (id, sha256, content, call) =>
      answer(
        () => client.putOutput(id, sha256, content, call),
        () => undefined,
      ),
    output: (id, sha256, call) =>
      answer<Uint8Array | undefined>(
        async () => Buffer.from(await client.output(id, sha256, call)),
        () => undefined,
      ),
  };
}

type Fate = "missing" | "gone";

function typed(type: Fate): { readonly type: Fate } {
  return { type };
}

function write(request: () => Promise<ThreadVersion>): Promise<WriteAnswer> {
  return answer<WriteAnswer>(async () => {
    try {
      const { version, digest } = await request();
      return { type: "done", version, digest };
    } catch (error) {
      const moved = error instanceof LoomApiError ? movedTo(error) : undefined;
      if (moved === undefined) throw error;
      return { type: "moved", ...moved };
    }
  }, typed);
}

/** Where the thread is, as the problem document of a 412 says. */
function movedTo({ code, problem }: LoomApiError): ThreadVersion | undefined {
  if (code !== "version_mismatch") return undefined;
  const { version, digest } = problem;
  return typeof version === "number" && typeof digest === "string" ? { version, digest } : undefined;
}

/** The answer; or what a thread that is not there means; or why there is none. @throws RemoteError */
async function answer<Answer>(request: () => Promise<Answer>, whenAbsent?: (fate: Fate) => Answer): Promise<Answer> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof LoomApiError)) throw error;
    if (whenAbsent !== undefined && error.code === "not_found") return whenAbsent("missing");
    if (whenAbsent !== undefined && error.code === "gone") return whenAbsent("gone");
    throw new RemoteError(kindOf(error), error.message, { cause: error, retryAfterMs: error.retryAfterMs });
  }
}

function kindOf({ code, status, retryable }: LoomApiError): RemoteError["kind"] {
  // Whoever is not let in is not let in with the next thread either.
  if (status === undefined || status === 401 || status === 429 || code === "invalid_response") return "server";
  if (status === 503 || (status >= 500 && retryable)) return "server";
  return status >= 500 ? "request" : "refused";
}
