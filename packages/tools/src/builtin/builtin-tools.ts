import type { ToolSource } from "../tool.ts";
import definitions from "./definitions.json" with { type: "json" };

/**
 * The tools that come with Loom. Their definitions are a file that a test keeps equal to the code, so that a session can
 * send its first request before any tool, and with it the schema library, is loaded.
 */
export const builtinTools: ToolSource = {
  definitions,
  load: async () => (await import("./tools.ts")).TOOLS,
};
