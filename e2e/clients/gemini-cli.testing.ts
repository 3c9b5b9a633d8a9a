import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLIENTS, type CliClient, installed } from "./cli-client.testing.ts";

/** JavaScript: it runs on the Node that runs this. */
export function geminiCli(): CliClient {
  const file = CLIENTS.file("@google", "gemini-cli", "bundle", "gemini.js");
  return {
    file: existsSync(file) ? file : undefined,
    product: /^GeminiCLI[^/]*\/\d[^/]*$/,
    async prepare({ home, baseUrl, token, model }, prompt) {
      const settings = {
        security: { auth: { selectedType: "gemini-api-key" } },
        privacy: { usageStatisticsEnabled: false },
        general: { enableAutoUpdate: false },
      };
      await mkdir(join(home.path, ".gemini"), { recursive: true });
      await writeFile(join(home.path, ".gemini", "settings.json"), JSON.stringify(settings));
      const program = installed(existsSync(file) ? file : undefined, "Gemini CLI");
      return {
        file: process.execPath,
        args: [program, "-m", model, "-p", prompt, "--yolo", "--skip-trust"],
        env: { ...home.env, GOOGLE_GEMINI_BASE_URL: baseUrl, GEMINI_API_KEY: token },
      };
    },
  };
}
