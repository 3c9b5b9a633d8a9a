// `npm run clients`: installs the agents of others into e2e/clients and points them at Loom. `--install`: only the first.
import { spawnSync } from "node:child_process";
import { packageFolder } from "./package-folder.ts";

const clients = packageFolder(new URL("../e2e/clients", import.meta.url).pathname);
if (!clients.isInstalled()) {
  console.log("Installing Claude Code, Codex, Gemini CLI and opencode (about 1.2 GB on disk) ...");
  if (!clients.install()) console.error("They could not be installed: their tests are skipped.");
}
if (!process.argv.includes("--install")) {
  const { status } = spawnSync("vitest", ["run", "e2e/clients"], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}
