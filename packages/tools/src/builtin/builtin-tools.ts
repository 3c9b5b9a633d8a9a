import type { ToolSource } from "../tool.ts";
import definitions from "./definitions.json" with { type: "json" };

/**
 * The tools that come with Loom. What is known of them before they are loaded is kept equal to the code by a test, so that a session can
 * send its first request before any tool, and with it the schema library, is loaded.
 */
export const builtinTools: ToolSource = {
  definitions,
  reading: ["read_file", "list_files", "search", "search_threads"],
  searchingThreads: ["search_threads"],
  load: async () => (await import("./tools.ts")).TOOLS,
};
