import { globSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLIENTS, type CliClient, installed } from "./cli-client.testing.ts";

const PLATFORM = `codex-${process.platform}-${process.arch}`;

export function codex(): CliClient {
  const [file] = globSync(CLIENTS.file("@openai", PLATFORM, "vendor/*/bin/codex"));
  return {
    file,
    product: /^codex_exec\/\d/,
    async prepare({ home, baseUrl, token, model }, prompt) {
      await mkdir(join(home.path, ".codex"), { recursive: true });
      await writeFile(join(home.path, ".codex", "config.toml"), configuration(baseUrl, model));
      return {
        file: installed(file, "Codex"),
        args: ["exec", "--skip-git-repo-check", prompt],
        env: { ...home.env, LOOM_TOKEN: token },
      };
    },
  };
}

// The last three keep it off the network, and off commands' sandbox, which not every machine can make.
function configuration(baseUrl: string, model: string): string {
  return `model = "${model}"
model_provider = "loom"
web_search = "disabled"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.loom]
name = "Loom"
base_url = "${baseUrl}"
env_key = "LOOM_TOKEN"
wire_api = "responses"
stream_max_retries = 1

[features]
plugins = false

[analytics]
enabled = false
`;
}
