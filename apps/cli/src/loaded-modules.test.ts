import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTempHome, type ScriptedModel, say, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { envFor, PATIENT, runLoom } from "./testing.ts";

/** What each way to start Loom may load. To allow more, add it here, and have a reason. */
const LIST = new URL("./loaded-modules.json", import.meta.url);
type LoadedModules = { readonly [call: string]: readonly string[] };

/** Writes every module that is imported or required, in the process and for no other, to the file named in REPORT. */
const RECORDER = `
  const { registerHooks } = process.getBuiltinModule("node:module");
  const { writeFileSync } = process.getBuiltinModule("node:fs");
  const urls = new Set();
  registerHooks({ resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    urls.add(resolved.url);
    return resolved;
  } });
  process.on("exit", () => writeFileSync(process.env.REPORT, JSON.stringify([...urls])));
`;

let home: TempHome;
let model: ScriptedModel;
beforeAll(async () => {
  home = await createTempHome();
  // Slow enough for the embedded server to have opened its database, so that this is counted every time.
  const delivery = { deltas: 2, eventsPerWrite: 1, gapMs: 500 };
  model = await startScriptedModel({ script: () => say("It is done.", { delivery }) });
});
afterAll(async () => {
  await model.close();
  await home.remove();
});

async function modulesOf(args: readonly string[]): Promise<string[]> {
  const report = join(home.path, "modules.json");
  const preload = `--import=data:text/javascript,${encodeURIComponent(RECORDER)}`;
  const env = { ...envFor(model), REPORT: report, NODE_OPTIONS: preload };
  const { code, stderr } = await runLoom(home, args, { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(readFileSync(report, "utf8"));
}

/** Node's own modules and the names of packages; with `files`, Loom's own modules one by one. */
function shown(urls: readonly string[], { files }: { readonly files: boolean }): string[] {
  const names = urls.map((url) => {
    if (url.startsWith("node:")) return url;
    const dependency = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
    if (dependency !== undefined) return dependency;
    const [, path = url, workspace] = /.*\/((?:packages|apps)\/([^/]+)\/.*)$/.exec(url) ?? [];
    return files ? path : `@loom/${workspace}`;
  });
  return [...new Set(names)].sort();
}

describe("what is loaded", PATIENT, () => {
  it("by --version, --help and -p is what the list allows (LOOM_WRITE_MODULES=1 writes it)", async () => {
    const turn = await modulesOf(["-p", "Say that you are done.", "--allowed-tools="]);
    const loaded: LoadedModules = {
      "loom --version": shown(await modulesOf(["--version"]), { files: true }),
      "loom --help": shown(await modulesOf(["--help"]), { files: true }),
      // Without tools, whose code comes later and only if the answer takes long enough or calls one.
      "loom -p PROMPT": shown(turn, { files: false }),
    };
    // There is no server to sync with.
    expect(turn.filter((url) => /\/sync\/|session-sync|server-threads|threads-client/.test(url))).toEqual([]);
    if (process.env.LOOM_WRITE_MODULES === "1") writeFileSync(LIST, `${JSON.stringify(loaded, undefined, 2)}\n`);
    const allowed: LoadedModules = JSON.parse(readFileSync(LIST, "utf8"));
    for (const [call, modules] of Object.entries(loaded)) {
      const more = modules.filter((name) => !allowed[call]?.includes(name));
      expect({ call, more }).toEqual({ call, more: [] });
    }
  });
});
