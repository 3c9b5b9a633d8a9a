import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLIENTS, type CliClient, installed } from "./cli-client.testing.ts";

export function opencode(): CliClient {
  const file = program();
  return {
    file,
    product: /^opencode\/\d/,
    async prepare({ home, baseUrl, token, model }, prompt) {
      const loom = {
        npm: "@ai-sdk/openai-compatible",
        options: { baseURL: baseUrl, apiKey: "{env:LOOM_TOKEN}" },
        models: { [model]: {} },
      };
      const settings = {
        $schema: "https://opencode.ai/config.json",
        autoupdate: false,
        share: "disabled",
        permission: "allow",
        enabled_providers: ["loom"],
        provider: { loom },
      };
      await mkdir(join(home.configDir, "opencode"), { recursive: true });
      await writeFile(join(home.configDir, "opencode", "opencode.json"), JSON.stringify(settings));
      return {
        file: installed(file, "opencode"),
        args: ["run", "-m", `loom/${model}`, prompt],
        env: {
          ...home.env,
          LOOM_TOKEN: token,
          OPENCODE_DISABLE_AUTOUPDATE: "1",
          OPENCODE_DISABLE_MODELS_FETCH: "1",
          OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
          // It installs a plugin package into its configuration directory otherwise.
          npm_config_offline: "true",
        },
      };
    },
  };
}

// The choice that its own install script makes: the baseline build where the processor has no AVX2.
function program(): string | undefined {
  const platform = `opencode-${process.platform}-${process.arch}`;
  const slow =
    process.platform === "linux" && process.arch === "x64" && !readFileSync("/proc/cpuinfo").includes(" avx2 ");
  const file = CLIENTS.file(slow ? `${platform}-baseline` : platform, "bin", "opencode");
  return existsSync(file) ? file : undefined;
}
