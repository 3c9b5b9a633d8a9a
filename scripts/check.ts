// Runs the checks by name, in order, and says what failed: `npm run check` (all), `npm test` (all but format).
import { spawnSync } from "node:child_process";

const CHECKS: Record<string, { readonly title: string; readonly command: readonly [string, ...string[]] }> = {
  format: { title: "Format and lint (biome)", command: ["biome", "check", "--error-on-warnings", "."] },
  types: { title: "Types (tsc)", command: ["tsc", "-p", "."] },
  layers: {
    title: "Layers and cycles (dependency-cruiser)",
    command: ["depcruise", "--config", ".dependency-cruiser.mjs", "packages", "apps"],
  },
  "dead-code": { title: "Dead code (knip)", command: ["knip", "--no-progress"] },
  build: { title: "Bundles (esbuild)", command: ["node", "scripts/build.ts"] },
  tests: { title: "Tests (vitest)", command: ["vitest", "run"] },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in CHECKS));
if (unknown.length > 0) {
  console.error(`Unknown check: ${unknown.join(", ")}. There are: ${Object.keys(CHECKS).join(", ")}.`);
  process.exit(2);
}

const failed: string[] = [];
for (const [name, { title, command }] of Object.entries(CHECKS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n== ${title}`);
  const [program, ...args] = command;
  const started = performance.now();
  const { status, error } = spawnSync(program, args, { stdio: "inherit" });
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  if (status === 0) console.log(`ok, ${seconds} s`);
  else failed.push(name);
  if (error !== undefined)
    console.error(`${program} could not be started: ${error.message}. Run it through npm, after "npm ci".`);
}
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(", ")}.`);
  process.exit(1);
}
