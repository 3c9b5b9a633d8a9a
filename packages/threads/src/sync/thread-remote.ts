import type { ThreadId } from "@loom/core";
import type { Visibility } from "../record.ts";

/** How far a copy of a thread goes: its number of records, and their digest (`addToDigest`). */
export type ThreadVersion = { readonly version: number; readonly digest: string };

/** What became of a write that was meant for a certain version. */
export type WriteAnswer =
  | ({ readonly type: "done" } & ThreadVersion)
  /** The thread is at another version than was expected. */
  | ({ readonly type: "moved" } & ThreadVersion)
  | { readonly type: "missing" }
  /** It was removed for good; its id cannot be used again. */
  | { readonly type: "gone" };

export type RecordsAnswer =
  | { readonly type: "records"; readonly records: readonly string[]; readonly version: number }
  | { readonly type: "missing" }
  | { readonly type: "gone" };

export type ThreadChange = ThreadVersion & {
  readonly id: ThreadId;
  /** It is in the trash: by its records, or because somebody put it there on the server. */
  readonly deleted: boolean;
  /** It was removed for good. */
  readonly purged: boolean;
};

export type ChangesPage = {
  readonly changes: readonly ThreadChange[];
  /** To be sent with the next question; opaque. */
  readonly cursor: string;
  readonly more: boolean;
  /** The server has forgotten what it had told behind this cursor: all its threads have to be looked through. */
  readonly rewound: boolean;
};

export type RemoteCall = { readonly signal: AbortSignal };

/**
 * A server's copy of the person's threads. Every call may be repeated.
 * @throws RemoteError from each of them.
 */
export type ThreadRemote = {
  /** For people: where it is. */
  readonly name: string;
  /** Of one record, in UTF-8. */
  readonly maxRecordBytes: number;
  /** Of one long output. */
  readonly maxOutputBytes: number;
  create(id: ThreadId, records: readonly string[], call: RemoteCall): Promise<WriteAnswer>;
  append(id: ThreadId, expected: number, records: readonly string[], call: RemoteCall): Promise<WriteAnswer>;
  /** Removes it for good, if it is at the version that is expected. */
  purge(id: ThreadId, expected: number, call: RemoteCall): Promise<WriteAnswer>;
  records(id: ThreadId, after: number, call: RemoteCall): Promise<RecordsAnswer>;
  /** The digest of the first `at` records; `undefined` where there are not so many, or no such thread. */
  digest(id: ThreadId, at: number, call: RemoteCall): Promise<string | undefined>;
  /** How far the thread goes. */
  version(id: ThreadId, call: RemoteCall): Promise<ThreadVersion | "missing" | "gone">;
  /** Says who may see it. One that is not there (any more) has nobody. */
  setVisibility(id: ThreadId, visibility: Visibility, call: RemoteCall): Promise<void>;
  changes(since: string | undefined, call: RemoteCall): Promise<ChangesPage>;
  /** Those of the outputs that the server does not have. */
  missingOutputs(id: ThreadId, outputs: readonly string[], call: RemoteCall): Promise<readonly string[]>;
  putOutput(id: ThreadId, sha256: string, content: Uint8Array, call: RemoteCall): Promise<void>;
  /** `undefined` where the server does not have it. */
  output(id: ThreadId, sha256: string, call: RemoteCall): Promise<Uint8Array | undefined>;
};

/** A request failed; `message` is one sentence for people. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  /**
   * `server`: nothing works there now (not reachable, overloaded, does not know us): no use in going on.
   * `request`: it failed in answering this one. `refused`: it will not take this one, now or later.
   */
  readonly kind: "server" | "request" | "refused";
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: RemoteError["kind"],
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}
