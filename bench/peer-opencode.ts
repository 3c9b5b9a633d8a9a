import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./command.ts";
import { installedVersion, peerFile } from "./peer-package.ts";
import { environment, type Place, type Subject } from "./subject.ts";

/** The most widely used open agent. Its package links the platform's program in an install script; here it is found instead. */
export function opencode(): Subject | undefined {
  const version = installedVersion("opencode-ai");
  const file = program();
  if (version === undefined || file === undefined) return undefined;
  const run = (place: Place, args: readonly string[]): Command => ({
    file,
    args,
    env: environment(place, {
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
      // It installs a plugin package into its configuration directory otherwise.
      npm_config_offline: "true",
    }),
    cwd: place.workspace,
  });
  return {
    name: "opencode",
    version,
    prepare({ home, modelUrl }) {
      mkdirSync(join(home, ".config", "opencode"), { recursive: true });
      writeFileSync(join(home, ".config", "opencode", "opencode.json"), configuration(modelUrl));
    },
    turn: (place, prompt) => run(place, ["run", prompt]),
    flag: (place, flag) => run(place, [flag]),
  };
}

// The choice its own install script makes: the baseline build where the processor has no AVX2.
function program(): string | undefined {
  const platform = `opencode-${process.platform}-${process.arch}`;
  const slow =
    process.platform === "linux" && process.arch === "x64" && !readFileSync("/proc/cpuinfo").includes(" avx2 ");
  const file = peerFile(slow ? `${platform}-baseline` : platform, "bin", "opencode");
  return existsSync(file) ? file : undefined;
}

// "@ai-sdk/openai-compatible" is inside the program: any other name would be fetched from npm.
function configuration(modelUrl: string): string {
  const model = { name: "scripted", tool_call: true, limit: { context: 200_000, output: 8192 } };
  return JSON.stringify({
    // Without this line it writes the file anew, and a run beside it may find it empty.
    $schema: "https://opencode.ai/config.json",
    autoupdate: false,
    share: "disabled",
    permission: "allow",
    model: "bench/scripted",
    small_model: "bench/scripted",
    enabled_providers: ["bench"],
    provider: {
      bench: {
        npm: "@ai-sdk/openai-compatible",
        name: "bench",
        options: { baseURL: `${modelUrl}/v1`, apiKey: "none" },
        models: { scripted: model },
      },
    },
  });
}
