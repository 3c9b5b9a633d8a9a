import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HookReport } from "../session-types.ts";
import { createAutoCommit } from "./create-auto-commit.ts";

/** One round of tools in the workspace; gives what the hook said and did. */
export async function changeAndCommit(workspace: string, environment: Record<string, string | undefined>) {
  const hook = createAutoCommit({ workspace, environment });
  const reports: HookReport[] = [];
  await hook.beforeTools(new AbortController().signal);
  writeFileSync(join(workspace, "a.txt"), "changed\n");
  const tool = {
    call: { type: "tool_use" as const, id: "a", name: "bash", input: {} },
    outcome: { type: "success" as const, content: [], changed: true },
    changed: "unknown" as const,
  };
  const acted = await hook.afterTools([tool], (report) => reports.push(report));
  await hook.settled();
  return { acted, reports };
}

if (import.meta.main) console.log(JSON.stringify(await changeAndCommit(process.argv[2] ?? ".", process.env)));
