// What the tests of credentials share: a real server on a data directory of its own, in front of a provider that does
// what a test says, and the command line beside it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { CredentialInfo, CredentialList } from "@loom/api";
import { runCredentialCommand } from "../../credential-command.ts";
import { type RunningServer, startServer, takeServerConfig } from "../../index.ts";
import { type Engine, sqlite, type TestHome } from "../../kit/engines.testing.ts";

export const ANSWER = JSON.stringify({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-x",
  content: [{ type: "text", text: "Fine." }],
  stop_reason: "end_turn",
  usage: { input_tokens: 1, output_tokens: 1 },
});

export type Reply = { readonly status: number; readonly headers: Headers; readonly text: string };

export type TestHouse = {
  readonly directory: string;
  readonly home: TestHome;
  readonly server: RunningServer;
  readonly token: string;
  /** A request with the owner's token. */
  call(method: string, path: string, body?: unknown): Promise<Reply>;
  /** Asks the model through Anthropic's dialect. */
  ask(headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** The same of another server on this database. */
  askAt(url: string, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  list(): Promise<CredentialList>;
  one(label: string): Promise<CredentialInfo | undefined>;
  /** Until the server says so: for what it does by itself. */
  until(done: (list: CredentialList) => boolean): Promise<CredentialList>;
  command(
    args: readonly string[],
    options?: { readonly input?: string; readonly env?: NodeJS.ProcessEnv },
  ): Promise<Told>;
  /** `meanwhile`: while no server runs. */
  restart(env?: NodeJS.ProcessEnv, meanwhile?: () => void): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type Told = { readonly printed: string; readonly said: string };

/** A server that stays. */
export async function startHouse(firstEnv: NodeJS.ProcessEnv = {}, engine: Engine = sqlite): Promise<TestHouse> {
  const directory = await engine.create();
  const tokenFile = join(directory.path, "owner-token");
  const start = (env: NodeJS.ProcessEnv): Promise<RunningServer> =>
    startServer({
      config: takeServerConfig({ ...env }),
      access: { type: "owner", tokenFile, replace: false },
      dataDirectory: directory.path,
      postgres: directory.postgres,
      log: { level: "debug", destination: { file: join(directory.path, "server.log") } },
    });
  let env = firstEnv;
  let server = await start(env).catch(async (error: unknown) => {
    await directory[Symbol.asyncDispose]();
    throw error;
  });
  const token = (await readFile(tokenFile, "utf8")).trim();
  const call: TestHouse["call"] = async (method, path, body) => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const response = await fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const askAt: TestHouse["askAt"] = async (url, headers = {}) => {
    const response = await fetch(`${url}/proxy/anthropic/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": token, "content-type": "application/json", ...headers },
      body: JSON.stringify({ model: "claude-x", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const list = async (): Promise<CredentialList> => JSON.parse((await call("GET", "/api/admin/credentials")).text);
  return {
    directory: directory.path,
    home: directory,
    get server() {
      return server;
    },
    token,
    call,
    ask: (headers) => askAt(server.url, headers),
    askAt,
    list,
    one: async (label) => (await list()).credentials.find((each) => each.label === label),
    async until(done) {
      for (;;) {
        const found = await list();
        if (done(found)) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async command(args, { input = "", env: more = {} } = {}) {
      const [printed, said]: [string[], string[]] = [[], []];
      await runCredentialCommand(
        [...args, "--data", directory.path],
        { ...directory.env, ...more },
        {
          print: (text) => printed.push(text),
          say: (sentence) => said.push(sentence),
          input: Readable.from(input === "" ? [] : [Buffer.from(input)]),
        },
      );
      return { printed: printed.join(""), said: said.join("\n") };
    },
    async restart(next, meanwhile) {
      await server.close();
      meanwhile?.();
      env = next ?? env;
      server = await start(env);
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}
