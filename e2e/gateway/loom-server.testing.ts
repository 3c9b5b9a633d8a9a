// loom-server as a process of its own, in front of one scripted model that stands for every provider.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NewToken, UsageReport } from "@loom/api";
import type { RunningProcess } from "@loom/testkit";
import { environment, startServerProcess } from "../../apps/server/src/process.testing.ts";
import { startSigningProxy } from "./signing-proxy.testing.ts";

/** What the server signs its requests with. None of it may ever be seen by a client. */
export const PROVIDER_KEYS = {
  anthropic: "sk-canary-anthropic-7f3a91c2d4e5",
  openai: "sk-canary-openai-b81e07aa35f6",
  gemini: "sk-canary-gemini-19c4de60f2b7",
  vertex: "ya29.canary-vertex-55aa0f1e2d3c",
  zai: "sk-canary-zai-c05d2e8841f3",
  local: "sk-canary-local-4e6f7d12a9b8",
} as const;

export type LoomServer = {
  readonly url: string;
  /** The owner's. */
  readonly token: string;
  readonly process: RunningProcess;
  /** Makes a token besides the owner's. */
  createToken(wish: NewToken): Promise<string>;
  /** The ledger's rows, grouped; the query of `GET /api/usage`. */
  usage(query: string): Promise<UsageReport>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Longer than any file of tests takes; whoever forgets it leaves nothing behind for ever. */
const LIFETIME_MS = 20 * 60_000;

/** Every provider is at `providerUrl`. */
export async function startLoomServer(providerUrl: string, env: Record<string, string> = {}): Promise<LoomServer> {
  const home = await mkdtemp(join(tmpdir(), "loom-gateway-"));
  const vertex = await startSigningProxy(providerUrl, PROVIDER_KEYS.vertex);
  const { process, url, token } = await startServerProcess(join(home, "data"), {
    timeoutMs: LIFETIME_MS,
    env: environment(home, { ...providers(providerUrl, vertex.url), ...env }),
  });
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const close = async (): Promise<void> => {
    process.kill();
    await process.exited;
    await vertex.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  return {
    url,
    token,
    process,
    createToken: async (wish) => ((await ask("POST", "/api/tokens", wish)) as { token: string }).token,
    usage: async (query) => (await ask("GET", `/api/usage?${query}`)) as UsageReport,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function providers(url: string, vertexUrl: string): Record<string, string> {
  return {
    LOOM_SERVER_ANTHROPIC_API_KEY: PROVIDER_KEYS.anthropic,
    LOOM_SERVER_ANTHROPIC_BASE_URL: url,
    LOOM_SERVER_OPENAI_API_KEY: PROVIDER_KEYS.openai,
    LOOM_SERVER_OPENAI_BASE_URL: `${url}/v1`,
    LOOM_SERVER_OPENAI_MODEL: "gpt-5.4",
    LOOM_SERVER_GEMINI_API_KEY: PROVIDER_KEYS.gemini,
    LOOM_SERVER_GEMINI_BASE_URL: url,
    LOOM_SERVER_VERTEX_PROJECT: "scripted-project",
    LOOM_SERVER_VERTEX_LOCATION: "us-central1",
    LOOM_SERVER_VERTEX_BASE_URL: vertexUrl,
    LOOM_SERVER_ZAI_API_KEY: PROVIDER_KEYS.zai,
    LOOM_SERVER_ZAI_BASE_URL: url,
    LOOM_SERVER_COMPATIBLE_LOCAL_API_KEY: PROVIDER_KEYS.local,
    LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: `${url}/v1`,
  };
}
