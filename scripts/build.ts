// Bundles Loom into single files under dist/ (or the directory that is named), and beside them the manifest of what they
// need at run time.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { POLICY_FOLDER, readPolicyFolder } from "../apps/server/src/features/policy/policy-files.ts";
import { loomAnswers, serverAnswers } from "./bundle/answers.ts";
import { packApplication } from "./bundle/application-comment.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const BUNDLES = [
  { name: "loom", entry: "apps/cli/src/main.ts", answers: loomAnswers() },
  { name: "loom-server", entry: "apps/server/src/main.ts", answers: serverAnswers() },
];
/** Stays outside: it carries a binary per platform, found by its package at run time. */
const EXTERNAL = ["@vscode/ripgrep"];
/** Stands beside the bundles: it is read by servers that stay, and would make every start of the others slower. */
const POLICY_ENGINE = "node_modules/@cedar-policy/cedar-wasm/nodejs/cedar_wasm_bg.wasm";
const { version } = JSON.parse(readFileSync(`${root}apps/cli/package.json`, "utf8"));

/** What the version command says of a build. The time is the commit's, so that one commit always gives one bundle. */
function buildFacts() {
  try {
    const [gitSha, builtAt] = execFileSync("git", ["-C", root, "log", "-1", "--format=%H%n%cI"], {
      encoding: "utf8",
    }).split("\n");
    return { gitSha, builtAt };
  } catch {
    return undefined;
  }
}

/** The program as one function of `require`, its own URL and its directory; Node's modules are required when used, not before. */
async function application(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [root + entry],
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "cjs",
    minify: true,
    legalComments: "none",
    external: EXTERNAL,
    // What stays outside is required as well: a script compiled by hand may not import.
    supported: { "dynamic-import": false },
    define: {
      "import.meta.url": "__loomUrl",
      __dirname: "__loomDirectory",
      LOOM_BUILD: JSON.stringify(buildFacts() ?? {}),
      LOOM_POLICIES: JSON.stringify(readPolicyFolder(POLICY_FOLDER)),
    },
    logLevel: "warning",
  });
  return `(function(require,__loomUrl,__loomDirectory){${outputFiles[0]?.text ?? ""}\n})`;
}

const out = resolve(process.argv[2] ?? `${root}dist`);
mkdirSync(out, { recursive: true });
for (const { name, entry, answers } of BUNDLES) {
  const text = await application(entry);
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const answersByWords = Object.fromEntries(answers.map(({ words, text }) => [words.join("\0"), text]));
  const outfile = join(out, `${name}.mjs`);
  const { outputFiles } = await build({
    entryPoints: [`${root}scripts/bundle/stub.ts`],
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    banner: { js: "#!/usr/bin/env node" },
    define: { BUNDLE: JSON.stringify({ name, digest, length: text.length, answers: answersByWords }) },
    logLevel: "warning",
  });
  const stub = outputFiles[0]?.text ?? "";
  writeFileSync(outfile, stub.trimEnd() + packApplication(text));
  chmodSync(outfile, 0o755);
  console.log(`${outfile}  ${(statSync(outfile).size / 1_024).toFixed(0)} KB`);
}

copyFileSync(root + POLICY_ENGINE, join(out, basename(POLICY_ENGINE)));

const tools = JSON.parse(readFileSync(`${root}packages/tools/package.json`, "utf8"));
const manifest = {
  name: "loom",
  version,
  type: "module",
  license: "Apache-2.0",
  engines: { node: ">=24" },
  bin: Object.fromEntries(BUNDLES.map(({ name }) => [name, `${name}.mjs`])),
  dependencies: Object.fromEntries(EXTERNAL.map((name) => [name, tools.dependencies[name]])),
};
writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
