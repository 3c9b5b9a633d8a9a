import { z } from "@hono/zod-openapi";
import type { ThreadId } from "@loom/core";
import {
  MAX_RECORDS,
  MAX_THREAD_PAGE,
  type SupportAccess,
  THREAD_EXPORT_FORMATS,
  THREAD_IMPORT_FORMATS,
  THREAD_VISIBILITIES,
  type ThreadChanges,
  type ThreadDigest,
  type ThreadEnd,
  type ThreadHits,
  type ThreadInfo,
  type ThreadList,
  type ThreadMessages,
  type ThreadRecords,
  type ThreadShare,
  type ThreadVisibilityChange,
} from "../threads.ts";
import { nextCursor, pageQuery } from "./paging.ts";

const time = z.iso.datetime();
const count = z.int().min(0);
const visibility = z.enum(THREAD_VISIBILITIES);

const THREAD_ID = /^T-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const threadId = z.string().regex(THREAD_ID) as unknown as z.ZodType<ThreadId>;
const params = z.object({ id: z.string().openapi({ description: "T- and a UUIDv7" }) });

const usage = z.strictObject({
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWriteTokens: count,
  cacheWriteLongTokens: count,
  reasoningTokens: count,
});

const info: z.ZodType<ThreadInfo> = z
  .strictObject({
    id: threadId,
    version: count,
    digest: z.string(),
    owner: z.string(),
    organization: z.string().nullable(),
    team: z.string().nullable(),
    visibility,
    wantedVisibility: visibility,
    sharedWithSupportUntil: time.nullable(),
    shared: z.boolean(),
    createdAt: z.string(),
    updatedAt: z.string(),
    deletedAt: z.string().nullable(),
    workspace: z.string(),
    loomVersion: z.string(),
    forkedFrom: z.strictObject({ id: threadId, version: count }).nullable(),
    title: z.string(),
    named: z.boolean(),
    tags: z.array(z.string()),
    pinned: z.boolean(),
    models: z.array(z.string()),
    turns: count,
    totals: z.strictObject({ usage, costMicroUsd: z.number(), requests: count, unpricedRequests: count }),
    git: z.strictObject({
      branch: z.string().exactOptional(),
      remote: z.string().exactOptional(),
      firstCommit: z.string().exactOptional(),
      commit: z.string().exactOptional(),
      dirtyAtStart: z.boolean().exactOptional(),
      dirty: z.boolean().exactOptional(),
    }),
    bytes: count,
  })
  .openapi("Thread", { description: "What is known of a thread beside what was said in it" });

const list: z.ZodType<ThreadList> = z.strictObject({ threads: z.array(info), nextCursor }).openapi("ThreadList");

const recordTexts = z
  .array(z.string())
  .min(1)
  .max(MAX_RECORDS)
  .openapi({ description: "Each is one line of JSON, at most 15 MiB, kept byte for byte" });

const records: z.ZodType<ThreadRecords> = z
  .strictObject({ records: z.array(z.string()), version: count })
  .openapi("ThreadRecords");

const end: z.ZodType<ThreadEnd> = z.strictObject({ version: count, digest: z.string() }).openapi("ThreadEnd");

const digest: z.ZodType<ThreadDigest> = z
  .strictObject({ at: count, digest: z.string().nullable(), version: count })
  .openapi("ThreadDigest");

const changes: z.ZodType<ThreadChanges> = z
  .strictObject({
    changes: z.array(
      z.strictObject({
        id: threadId,
        version: count,
        digest: z.string(),
        deleted: z.boolean(),
        purged: z.boolean(),
      }),
    ),
    cursor: z.string(),
    more: z.boolean(),
    rewound: z.boolean(),
  })
  .openapi("ThreadChanges");

const place = { index: count, record: count, turn: count, at: z.string() };
const blocks = z.array(z.record(z.string(), z.unknown()));
const message = z
  .discriminatedUnion("role", [
    z.strictObject({ ...place, role: z.literal("user"), content: blocks }),
    z.strictObject({ ...place, role: z.literal("assistant"), content: blocks, model: z.string() }),
    z.strictObject({
      ...place,
      role: z.literal("tool"),
      callId: z.string(),
      text: z.string(),
      isError: z.boolean(),
      outputs: z.array(z.string()),
    }),
    z.strictObject({ ...place, role: z.literal("commit"), sha: z.string(), message: z.string() }),
  ])
  .openapi("ThreadMessage");

const messages = z
  .strictObject({ messages: z.array(message), total: count, version: count })
  .openapi("ThreadMessages") as unknown as z.ZodType<ThreadMessages>;

const hits: z.ZodType<ThreadHits> = z
  .strictObject({
    hits: z.array(
      z.strictObject({
        thread: threadId,
        title: z.string(),
        workspace: z.string(),
        owner: z.string(),
        role: z.enum(["user", "assistant", "tool", "title", "commit"]),
        turn: count,
        record: count,
        at: z.string(),
        score: z.number().nullable(),
        snippet: z.strictObject({
          text: z.string(),
          highlights: z.array(z.tuple([count, count])),
        }),
      }),
    ),
    nextCursor,
    indexing: z.boolean(),
  })
  .openapi("ThreadHits");

const number = (most: number) => z.coerce.number().int().min(1).max(most);
const { limit, cursor } = pageQuery;
const text = (meaning: string) => z.string().min(1).max(1_000).optional().openapi({ description: meaning });
const anyTime = z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional();
const flag = z.enum(["true", "false"]).optional();

const filters = {
  workspace: text("Absolute path"),
  repository: text("host/path of a remote, or its end: acme/app, app"),
  author: text("The owner's id; `me` for the asker"),
  model: text("A model's name, or a part of it"),
  tag: text("A tag; several separated by commas: each of them"),
  visibility: visibility.optional(),
  since: anyTime.openapi({ description: "Last used, in a search said, at this time or later" }),
  until: anyTime.openapi({ description: "Before this time" }),
};

const visibilityChange: z.ZodType<ThreadVisibilityChange> = z
  .strictObject({
    visibility,
    organization: z.string().min(1).max(100).exactOptional(),
    team: z.string().min(1).max(100).exactOptional(),
  })
  .openapi("ThreadVisibilityChange");

const share: z.ZodType<ThreadShare> = z
  .strictObject({ token: z.string(), path: z.string(), expiresAt: time.nullable() })
  .openapi("ThreadShare", { description: "The only answer that holds the token" });

const support: z.ZodType<SupportAccess> = z
  .strictObject({
    thread: threadId,
    state: z.enum(["requested", "approved", "revoked", "expired", "none"]),
    requestedBy: z.string().nullable(),
    requestedAt: time.nullable(),
    reason: z.string().nullable(),
    approvedAt: time.nullable(),
    expiresAt: time.nullable(),
  })
  .openapi("SupportAccess");

const SHA256 = /^[0-9a-f]{64}$/;
const sha256 = z.string().regex(SHA256, { message: "must be 64 hexadecimal digits" });
const outputParams = z.object({ id: z.string(), sha256: z.string() });
const bytes = z.instanceof(Uint8Array).openapi({ type: "string", format: "binary" });
const outputEnd = z.strictObject({ sha256: z.string(), bytes: count });

const copy = z.strictObject({
  copy: z.enum(["records"]).optional().openapi({ description: "What a 412 answer brings along" }),
});

export const putThread = { params, query: copy, body: z.strictObject({ records: recordTexts }), response: end };
export const appendRecords = {
  params,
  query: copy,
  body: z.strictObject({ records: recordTexts, from: count.exactOptional() }),
  response: end,
};
export const getThread = { params, response: info };
export const getRecords = {
  params,
  query: z.strictObject({
    after: z.coerce.number().int().min(0).default(0),
    limit: number(MAX_RECORDS).default(1_000),
  }),
  response: records,
};
export const getDigest = {
  params,
  query: z.strictObject({ at: z.coerce.number().int().min(0).optional() }),
  response: digest,
};
export const getMessages = {
  params,
  query: z.strictObject({ from: z.coerce.number().int().min(0).default(0), limit }),
  response: messages,
};
export const listThreads = {
  query: z.strictObject({ cursor, limit, ...filters, pinned: flag, deleted: flag }),
  response: list,
};
export const listChanges = {
  query: z.strictObject({ since: cursor, limit: number(1_000).default(500) }),
  response: changes,
};
export const searchThreads = {
  query: z.strictObject({
    q: z.string().min(1).max(1_000),
    limit: number(MAX_THREAD_PAGE).default(20),
    cursor,
    thread: text("Only this thread"),
    exceptThread: text("All but this thread"),
    ...filters,
  }),
  response: hits,
};
export const deleteThread = {
  params,
  query: z.strictObject({ purge: flag.openapi({ description: "true: its content is gone for good" }) }),
  response: end,
};
export const restoreThread = { params, response: end };
export const putOutput = { params: outputParams, body: bytes, response: outputEnd };
export const getOutput = { params: outputParams, response: z.string() };
export const missingOutputs = {
  params,
  body: z.strictObject({ sha256s: z.array(sha256).max(1_000) }),
  response: z.strictObject({ missing: z.array(z.string()) }),
};
export const setVisibility = { params, body: visibilityChange, response: info };
export const forkThread = {
  params,
  body: z.strictObject({ version: count.min(1).exactOptional() }),
  response: info,
};
export const exportThread = {
  params,
  query: z.strictObject({ format: z.enum(THREAD_EXPORT_FORMATS).default("json") }),
  response: z.record(z.string(), z.unknown()),
};
export const importThread = {
  query: z.strictObject({ format: z.enum(THREAD_IMPORT_FORMATS).default("loom") }),
  body: bytes,
  response: info,
};
export const shareThread = {
  params,
  body: z.strictObject({ expiresAt: time.exactOptional() }),
  response: share,
};
export const unshareThread = { params, response: z.strictObject({ shared: z.literal(false) }) };
export const sharedThread = {
  params: z.object({ token: z.string() }),
  query: z.strictObject({ format: z.enum(THREAD_EXPORT_FORMATS).default("html") }),
  response: z.string(),
};
export const requestSupportAccess = {
  params,
  body: z.strictObject({ reason: z.string().min(1).max(500) }),
  response: support,
};
export const supportAccess = { params, response: support };
export const followThread = {
  params,
  query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
  response: z.string().openapi({
    description:
      "One record; `id:` is `GENERATION.VERSION`, the version that it makes. Event `replaced` (`{}`): drop all, the records follow from the first on",
  }),
};
