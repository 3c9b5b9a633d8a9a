import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ProcessOptions,
  type RunningProcess,
  type ScriptedModel,
  startProcess,
  type TempHome,
} from "@loom/testkit";

/** The command as it is in the checkout. */
export const LOOM = fileURLToPath(new URL("../bin/loom.js", import.meta.url));

/** For tests that start several processes, on a machine that is busy with others. */
export const PATIENT = { timeout: 120_000 } as const;

export type LoomOptions = Omit<ProcessOptions, "env"> & { readonly env?: Readonly<Record<string, string>> };

/** Starts the real `loom` in a home of its own; `env` is added to the home's variables. */
export function startLoom(home: TempHome, args: readonly string[], options: LoomOptions = {}): Promise<RunningProcess> {
  const env = { ...home.env, ...options.env };
  return startProcess(process.execPath, [LOOM, ...args], { cwd: home.path, ...options, env });
}

/** Runs the real `loom` to its end. */
export async function runLoom(home: TempHome, args: readonly string[], options: LoomOptions = {}) {
  return (await startLoom(home, args, options)).exited;
}

/** Where a home keeps its threads. */
export function threadsOf(home: TempHome): string {
  return join(home.dataDir, "loom", "threads");
}

/** The variables with which the embedded server asks a scripted model. */
export function envFor(model: ScriptedModel): Readonly<Record<string, string>> {
  return {
    LOOM_OPENAI_BASE_URL: `${model.url}/v1`,
    OPENAI_API_KEY: "sk-test-0123456789abcdef",
    LOOM_SERVER_OPENAI_MODEL: "scripted",
    LOOM_SERVER_OPENAI_FAST_MODEL: "scripted-fast",
  };
}
