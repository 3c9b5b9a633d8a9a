import { join } from "node:path";
import { anthropicMessages } from "@loom/llm";
import { createThreadStore, type OpenedThread, type ThreadWriter } from "@loom/threads";
import { builtinTools, createToolSet, LocalFiles, LocalProcesses } from "@loom/tools";
import { createAutoCommit } from "./auto-commit/create-auto-commit.ts";
import { prepareAgent } from "./prompt/agent-settings.ts";
import { createSession } from "./session.ts";
import type { ModelClient, SessionOptions, SessionUpdate } from "./session-types.ts";

/** A model behind real HTTP, in the wire format of Anthropic, without a Loom server in between. */
export function wireModel(url: string): ModelClient {
  return {
    async *stream(request, { signal }) {
      const encoded = anthropicMessages.encodeRequest(request, { stream: true });
      if (!encoded.ok) throw new Error(encoded.problem);
      const response = await fetch(`${url}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": "test", "anthropic-version": "2023-06-01" },
        body: JSON.stringify(encoded.body),
        signal,
      });
      const decoder = anthropicMessages.streamDecoder();
      for await (const bytes of response.body ?? []) yield decoder.push(bytes);
      yield decoder.end();
    },
  };
}

export type WorkspaceSessionSetup = {
  readonly workspace: string;
  readonly modelUrl: string;
  /** Where threads and long outputs go. */
  readonly dataDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly thread?: (store: ReturnType<typeof createThreadStore>) => OpenedThread | { readonly writer: ThreadWriter };
  readonly onUpdate?: (update: SessionUpdate) => void;
  readonly options?: Partial<SessionOptions>;
};

/** A session as the command line makes it: the six tools, auto-commit, a thread on disk. */
export function openWorkspaceSession(setup: WorkspaceSessionSetup) {
  const { workspace, modelUrl, dataDir, environment, onUpdate, options } = setup;
  const model = wireModel(modelUrl);
  const files = new LocalFiles(workspace);
  const processes = new LocalProcesses({ root: workspace, environment });
  const tools = createToolSet({
    tools: builtinTools,
    files,
    processes,
    threads: { search: async () => [] },
    outputDirectory: join(dataDir, "outputs"),
  });
  const store = createThreadStore({ directory: join(dataDir, "threads") });
  const create = () => ({ writer: store.create({ workspace, loomVersion: "0.0.0" }) });
  const { settings } = prepareAgent({
    workspace,
    model: "default",
    tools: tools.definitions,
    maxTokens: 8_000,
    autoCommit: true,
    now: Date.UTC(2026, 10, 20),
  });
  const session = createSession({
    settings,
    model,
    tools,
    hook: createAutoCommit({ workspace, model, environment }),
    thread: setup.thread?.(store) ?? create(),
    ...(onUpdate === undefined ? {} : { onUpdate }),
    ...options,
  });
  const close = async () => {
    await session.shutdown();
    await processes.close();
    files.close();
  };
  return { session, store, close, [Symbol.asyncDispose]: close };
}
