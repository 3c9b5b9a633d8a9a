// What the tests of threads share: a server that stays, plain HTTP to it, and the records of threads.
import { randomUUIDv7 } from "node:crypto";
import { readFile } from "node:fs/promises";
import { encodeRecord, THREAD_FORMAT, type ThreadRecord } from "@loom/threads/records";
import { completed, llm, says } from "../../../../../packages/threads/src/events.testing.ts";
import { startServer, takeServerConfig } from "../../index.ts";
import type { TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";

export const AT = "2026-11-20T10:00:00.000Z";

export type Json = { readonly [name: string]: unknown };

export type ThreadAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
};

export type Asking = {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

export type ThreadServer = {
  readonly server: RunningServer;
  readonly token: string;
  ask(method: string, path: string, asking?: Asking): Promise<ThreadAnswer>;
  /** Makes a thread of these records and gives its id. */
  make(...records: readonly ThreadRecord[]): Promise<`T-${string}`>;
  close(): Promise<void>;
};

export async function startThreadServer(home: TestHome): Promise<ThreadServer> {
  const tokenFile = `${home.path}/owner-token`;
  const server = await startServer({
    config: takeServerConfig({}),
    access: { type: "owner", tokenFile, replace: false },
    dataDirectory: home.path,
    postgres: home.postgres,
  });
  const token = (await readFile(tokenFile, "utf8")).trim();
  async function ask(method: string, path: string, asking: Asking = {}): Promise<ThreadAnswer> {
    const { body, headers = {} } = asking;
    const bearer = asking.token ?? token;
    const isBytes = body instanceof Uint8Array;
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(bearer === "" ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": isBytes ? "application/octet-stream" : "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isBytes ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson && text !== "" ? JSON.parse(text) : {},
    };
  }
  return {
    server,
    token,
    ask,
    async make(...records) {
      const id = newThreadId();
      const answer = await ask("PUT", `/api/threads/${id}`, {
        body: { records: [headerOf(id), ...records.map(text)] },
        headers: { "if-none-match": "*" },
      });
      if (answer.status !== 201) throw new Error(answer.text);
      return id;
    },
    close: () => server.close(),
  };
}

export function newThreadId(): `T-${string}` {
  return `T-${randomUUIDv7()}`;
}

export function headerOf(id: `T-${string}`, workspace = "/work"): string {
  return text({ type: "thread", v: THREAD_FORMAT, id, createdAt: AT, workspace, loomVersion: "0.1.0" });
}

export function text(record: ThreadRecord): string {
  return encodeRecord(record).trimEnd();
}

export function said(words: string, at = AT): ThreadRecord {
  return { type: "event", at, event: says(words) };
}

export function answered(words: string, at = AT): ThreadRecord {
  return { type: "event", at, event: llm(1, completed([{ type: "text", text: words }])) };
}

export function toolSaid(words: string, at = AT): ThreadRecord {
  const outcome = { type: "success" as const, content: [{ type: "text" as const, text: words }], changed: false };
  return { type: "event", at, event: { type: "tool_completed", callId: "call-1", outcome } };
}
