import { globSync } from "node:fs";
import { CLIENTS, type CliClient, installed } from "./cli-client.testing.ts";

const PLATFORM = `claude-code-${process.platform}-${process.arch}`;

/** A native program; its package's own command only finds it. `variable` is where the token goes. */
export function claudeCode(variable: "ANTHROPIC_AUTH_TOKEN" | "ANTHROPIC_API_KEY"): CliClient {
  const [file] = globSync(CLIENTS.file("@anthropic-ai", PLATFORM, "claude"));
  return {
    file,
    // The list of models is asked for under another name than the rest.
    product: /^claude-(?:cli|code)\/\d/,
    prepare: async ({ home, baseUrl, token, model }, prompt) => ({
      file: installed(file, "Claude Code"),
      args: ["-p", prompt, "--model", model, "--allowedTools", "Bash", "--output-format", "json"],
      env: {
        ...home.env,
        ANTHROPIC_BASE_URL: baseUrl,
        [variable]: token,
        CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY: "1",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      },
    }),
  };
}
