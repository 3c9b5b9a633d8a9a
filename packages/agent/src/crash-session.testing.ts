import { writeSync } from "node:fs";
import { openWorkspaceSession } from "./workspace-session.testing.ts";

/** Arguments of the process: workspace, address of the model, data directory. */
export const CRASH_SESSION = import.meta.filename;

/** Runs one long turn and says on standard output what has happened, as it happens; made to be killed. */
async function main([workspace = "", modelUrl = "", dataDir = ""]: readonly string[]): Promise<void> {
  await using opened = openWorkspaceSession({
    workspace,
    modelUrl,
    dataDir,
    environment: process.env,
    onUpdate: ({ type }) => writeSync(1, `${opened.session.threadId} ${type}\n`),
  });
  await opened.session.send([{ type: "text", text: "count" }]);
}

if (import.meta.main) await main(process.argv.slice(2));
