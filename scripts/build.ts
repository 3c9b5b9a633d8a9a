// Bundles Loom into single files under dist/, and beside them the manifest of what they need at run time.
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const BUNDLES = [
  { name: "loom", entry: "apps/cli/src/main.ts" },
  { name: "loom-server", entry: "apps/server/src/main.ts" },
];
/** Stays outside: it carries a binary per platform, found by its package at run time. */
const EXTERNAL = ["@vscode/ripgrep"];

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
for (const { name, entry } of BUNDLES) {
  const outfile = `dist/${name}.mjs`;
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    keepNames: false,
    legalComments: "external",
    external: EXTERNAL,
    logLevel: "warning",
    // CommonJS dependencies call require for Node's own modules.
    banner: {
      js: '#!/usr/bin/env node\nimport{createRequire as __r}from"node:module";const require=__r(import.meta.url);',
    },
  });
  chmodSync(outfile, 0o755);
  console.log(`${outfile}  ${(statSync(outfile).size / 1_024).toFixed(0)} KB`);
}

const tools = JSON.parse(readFileSync("packages/tools/package.json", "utf8"));
const { version } = JSON.parse(readFileSync("apps/cli/package.json", "utf8"));
const manifest = {
  name: "loom",
  version,
  type: "module",
  license: "Apache-2.0",
  engines: { node: ">=24" },
  bin: Object.fromEntries(BUNDLES.map(({ name }) => [name, `${name}.mjs`])),
  dependencies: Object.fromEntries(EXTERNAL.map((name) => [name, tools.dependencies[name]])),
};
writeFileSync("dist/package.json", `${JSON.stringify(manifest, null, 2)}\n`);
