import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Streams one answer in a process of its own and prints what that process had to load. */
const SCRIPT = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
  const { createLoomClient } = await import("@loom/api/client");
  const client = createLoomClient({ baseUrl: "http://127.0.0.1:1", token: () => "t" });
  const events = [];
  for await (const batch of client.stream("default", { messages: [] })) events.push(...batch);
  console.log(JSON.stringify({ loaded, builtins: process.moduleLoadList, events }));`;

test("a client needs neither a schema library nor undici, which would cost more than the turn", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SCRIPT], {
    cwd: new URL(".", import.meta.url),
    maxBuffer: 8 << 20,
  });
  const { loaded, builtins, events } = JSON.parse(stdout) as Record<string, string[]>;
  expect(events).toMatchObject([{ type: "error", error: { code: "network" } }]);
  expect(loaded?.filter((url) => url.includes("node_modules/zod") || url.includes("/schemas/"))).toEqual([]);
  expect(loaded?.length).toBeGreaterThan(10);
  expect(builtins?.filter((name) => name.includes("undici"))).toEqual([]);
});
