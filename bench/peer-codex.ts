import { globSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installedVersion, peerFile } from "./peer-package.ts";
import { environment, type Subject } from "./subject.ts";

/** OpenAI's agent: a native program. It is started directly, without its Node launcher, which is its best case. */
export function codex(): Subject | undefined {
  const version = installedVersion("@openai/codex");
  const [file] = globSync(peerFile("@openai", `codex-${process.platform}-${process.arch}`, "vendor/*/bin/codex"));
  if (version === undefined || file === undefined) return undefined;
  return {
    name: "codex",
    version,
    prepare({ home, modelUrl }) {
      mkdirSync(join(home, ".codex"), { recursive: true });
      writeFileSync(join(home, ".codex", "config.toml"), configuration(modelUrl));
    },
    turn: (place, prompt) => ({
      file,
      args: ["exec", prompt],
      env: environment(place, { BENCH_KEY: "none" }),
      cwd: place.workspace,
    }),
    flag: (place, flag) => ({ file, args: [flag], env: environment(place), cwd: place.workspace }),
  };
}

// Without `plugins = false` every start asks a git server on the network for its list of plugins.
function configuration(modelUrl: string): string {
  return `model = "scripted"
model_provider = "bench"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.bench]
name = "bench"
base_url = "${modelUrl}/v1"
wire_api = "responses"
env_key = "BENCH_KEY"

[features]
plugins = false

[analytics]
enabled = false
`;
}
