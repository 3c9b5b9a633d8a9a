import type { ThreadId } from "@loom/core";
import { api } from "../contract.ts";
import type {
  SupportAccess,
  ThreadChanges,
  ThreadDigest,
  ThreadEnd,
  ThreadHits,
  ThreadInfo,
  ThreadList,
  ThreadRecords,
  ThreadShare,
  ThreadVisibilityChange,
} from "../threads.ts";
import {
  type ClientCall,
  type ClientContext,
  clientContext,
  queryText,
  type RequestDeadlines,
  requestJson,
  requestText,
} from "./client-request.ts";
import { notLoom } from "./loom-api-error.ts";
import type { LoomClientOptions, RequestOptions } from "./loom-client.ts";

export type ThreadQuery = {
  readonly workspace?: string;
  readonly repository?: string;
  readonly author?: string;
  readonly model?: string;
  readonly tag?: string;
  readonly visibility?: string;
  readonly since?: string;
  readonly until?: string;
  /** At most 100. */
  readonly limit?: number;
  readonly cursor?: string;
};

/** The threads of a server. Every method @throws LoomApiError. */
export type ThreadsClient = {
  /** e.g. `https://loom.example.com`. */
  readonly server: string;
  list(
    query: ThreadQuery & { readonly pinned?: true; readonly deleted?: true },
    how?: RequestOptions,
  ): Promise<ThreadList>;
  search(
    query: ThreadQuery & { readonly q: string; readonly exceptThread?: ThreadId },
    how?: RequestOptions,
  ): Promise<ThreadHits>;
  changes(since: string | undefined, how?: RequestOptions): Promise<ThreadChanges>;
  get(id: ThreadId, how?: RequestOptions): Promise<ThreadInfo>;
  create(id: ThreadId, records: readonly string[], how?: RequestOptions): Promise<ThreadEnd>;
  append(id: ThreadId, version: number, records: readonly string[], how?: RequestOptions): Promise<ThreadEnd>;
  records(id: ThreadId, after: number, how?: RequestOptions): Promise<ThreadRecords>;
  /** Of all records, where `at` is left out. */
  digest(id: ThreadId, at: number | undefined, how?: RequestOptions): Promise<ThreadDigest>;
  purge(id: ThreadId, version: number, how?: RequestOptions): Promise<ThreadEnd>;
  missingOutputs(id: ThreadId, sha256s: readonly string[], how?: RequestOptions): Promise<readonly string[]>;
  putOutput(id: ThreadId, sha256: string, content: Uint8Array, how?: RequestOptions): Promise<void>;
  output(id: ThreadId, sha256: string, how?: RequestOptions): Promise<string>;
  setVisibility(id: ThreadId, change: ThreadVisibilityChange, how?: RequestOptions): Promise<ThreadInfo>;
  /** `expiresAt`: RFC 3339; without it, the link holds until it is revoked. */
  share(id: ThreadId, expiresAt: string | undefined, how?: RequestOptions): Promise<ThreadShare>;
  unshare(id: ThreadId, how?: RequestOptions): Promise<void>;
  supportAccess(id: ThreadId, how?: RequestOptions): Promise<SupportAccess>;
  approveSupportAccess(id: ThreadId, how?: RequestOptions): Promise<SupportAccess>;
  revokeSupportAccess(id: ThreadId, how?: RequestOptions): Promise<SupportAccess>;
  /** Gives up the kept connections. */
  close(): void;
};

/** Nobody waits long for these: what fails is tried again. */
const DEADLINES: RequestDeadlines = { connectMs: 5_000, gapMs: 15_000, completeMs: 60_000, beginMs: 15_000 };

export function createThreadsClient(
  options: Omit<LoomClientOptions, "deadlines"> & { readonly deadlines?: Partial<RequestDeadlines> },
): ThreadsClient {
  const context: ClientContext = { ...clientContext(options), deadlines: { ...DEADLINES, ...options.deadlines } };
  const { server } = context;
  const { threads } = api;
  /** The document, if it has the members that make it what was asked for. */
  const ask = async <Answer>(
    call: ClientCall,
    { signal }: RequestOptions,
    ...members: readonly (keyof Answer & string)[]
  ): Promise<Answer> => {
    const value = await requestJson(context, { ...call, signal });
    if (!hasMembers<Answer>(value, members)) throw notLoom(server, "answered with something that was not asked for");
    return value;
  };
  const at = (template: string, id: ThreadId, query = "") => `${template.replace("{id}", id)}${query && `?${query}`}`;
  const output = (id: ThreadId, sha256: string) => at(threads.output.path, id).replace("{sha256}", sha256);
  const ifMatch = (version: number) => ({ "if-match": `"${version}"` });

  return {
    server,
    list: (query, how = {}) =>
      ask<ThreadList>({ method: "GET", path: `${threads.list.path}?${queryText(query)}` }, how, "threads"),
    search: (query, how = {}) =>
      ask<ThreadHits>({ method: "GET", path: `${threads.search.path}?${queryText(query)}` }, how, "hits"),
    changes: (since, how = {}) =>
      ask<ThreadChanges>(
        { method: "GET", path: `${threads.changes.path}?${queryText({ since })}` },
        how,
        "changes",
        "cursor",
        "more",
      ),
    get: (id, how = {}) => ask<ThreadInfo>({ method: "GET", path: at(threads.get.path, id) }, how, "id"),
    create: (id, records, how = {}) =>
      ask<ThreadEnd>(
        {
          method: "PUT",
          path: at(threads.put.path, id),
          headers: { "if-none-match": "*" },
          body: JSON.stringify({ records }),
        },
        how,
        "version",
        "digest",
      ),
    append: (id, version, records, how = {}) =>
      ask<ThreadEnd>(
        {
          method: "POST",
          path: at(threads.append.path, id),
          headers: ifMatch(version),
          body: JSON.stringify({ records }),
        },
        how,
        "version",
        "digest",
      ),
    records: (id, after, how = {}) =>
      ask<ThreadRecords>(
        { method: "GET", path: at(threads.records.path, id, queryText({ after })) },
        how,
        "records",
        "version",
      ),
    digest: (id, version, how = {}) =>
      ask<ThreadDigest>(
        { method: "GET", path: at(threads.digest.path, id, queryText({ at: version })) },
        how,
        "digest",
        "version",
      ),
    purge: (id, version, how = {}) =>
      ask<ThreadEnd>(
        { method: "DELETE", path: at(threads.delete.path, id, "purge=true"), headers: ifMatch(version) },
        how,
        "version",
      ),
    async missingOutputs(id, sha256s, how = {}) {
      const path = at(threads.missingOutputs.path, id);
      const call: ClientCall = { method: "POST", path, body: JSON.stringify({ sha256s }) };
      return (await ask<{ readonly missing: readonly string[] }>(call, how, "missing")).missing;
    },
    async putOutput(id, sha256, content, how = {}) {
      await ask<{ sha256: string }>({ method: "PUT", path: output(id, sha256), body: content }, how, "sha256");
    },
    output: (id, sha256, { signal } = {}) =>
      requestText(context, { method: "GET", path: output(id, sha256), signal }, "application/octet-stream"),
    setVisibility: (id, change, how = {}) =>
      ask<ThreadInfo>(
        { method: "POST", path: at(threads.visibility.path, id), body: JSON.stringify(change) },
        how,
        "visibility",
      ),
    share: (id, expiresAt, how = {}) =>
      ask<ThreadShare>(
        { method: "POST", path: at(threads.share.path, id), body: JSON.stringify({ expiresAt }) },
        how,
        "path",
      ),
    async unshare(id, how = {}) {
      await ask<{ shared: boolean }>({ method: "DELETE", path: at(threads.unshare.path, id) }, how, "shared");
    },
    supportAccess: (id, how = {}) =>
      ask<SupportAccess>({ method: "GET", path: at(threads.supportAccess.path, id) }, how, "state"),
    approveSupportAccess: (id, how = {}) =>
      ask<SupportAccess>({ method: "POST", path: at(threads.approveSupportAccess.path, id) }, how, "state"),
    revokeSupportAccess: (id, how = {}) =>
      ask<SupportAccess>({ method: "DELETE", path: at(threads.revokeSupportAccess.path, id) }, how, "state"),
    close: () => context.connections.close(),
  };
}

function hasMembers<Answer>(value: unknown, names: readonly string[]): value is Answer {
  return typeof value === "object" && value !== null && names.every((name) => name in value);
}
