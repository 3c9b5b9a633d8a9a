import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./command.ts";
import { installedVersion, peerFile } from "./peer-package.ts";
import { environment, type Place, type Subject } from "./subject.ts";

const PACKAGE = "@earendil-works/pi-coding-agent";

/** The fast agent in plain JavaScript, on the same Node as Loom. */
export function pi(): Subject | undefined {
  const version = installedVersion(PACKAGE);
  if (version === undefined) return undefined;
  const run = (place: Place, args: readonly string[]): Command => ({
    file: process.execPath,
    args: [peerFile(PACKAGE, "dist/bundle/cli.js"), ...args],
    env: environment(place, { PI_OFFLINE: "1", PI_TELEMETRY: "0", PI_SKIP_VERSION_CHECK: "1" }),
    cwd: place.workspace,
  });
  return {
    name: "pi",
    version,
    prepare({ home, modelUrl }) {
      mkdirSync(join(home, ".pi", "agent"), { recursive: true });
      writeFileSync(join(home, ".pi", "agent", "models.json"), configuration(modelUrl));
    },
    turn: (place, prompt) => run(place, ["-p", "--provider", "bench", "--model", "scripted", prompt]),
    flag: (place, flag) => run(place, [flag]),
  };
}

function configuration(modelUrl: string): string {
  return JSON.stringify({
    providers: {
      bench: { baseUrl: `${modelUrl}/v1`, api: "openai-completions", apiKey: "none", models: [{ id: "scripted" }] },
    },
  });
}
