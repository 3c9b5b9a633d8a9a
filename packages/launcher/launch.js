// Plain JavaScript on purpose: this file has to run on any Node from 20.17, before the right one is found.
import { spawn } from "node:child_process";
import * as nodeModule from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const REQUIRED_MAJOR = 24;
/** Beside the code. Node's own choice is a well-known place under the temporary directory, where anybody may put code. */
const COMPILE_CACHE = fileURLToPath(new URL("../../node_modules/.cache/loom", import.meta.url));
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/**
 * Runs the module at `entry` on Node 24 or newer: in this process if it already is one, else in a child that runs the
 * Node that npm installed beside Loom. Exit code and signals of the child become ours.
 * @param {URL} entry
 */
export async function launch(entry) {
  if (Number(process.versions.node.split(".")[0]) >= REQUIRED_MAJOR) {
    nodeModule.enableCompileCache(COMPILE_CACHE);
    await import(entry.href);
    return;
  }
  runOnBundledNode([fileURLToPath(entry), ...process.argv.slice(2)]);
}

/**
 * Runs the Node that npm installed beside Loom with `args`.
 * @param {string[]} args
 */
export function runOnBundledNode(args) {
  const node = bundledNode();
  if (node === undefined) {
    process.stderr.write(
      `Loom needs Node ${REQUIRED_MAJOR} and this is Node ${process.versions.node}. ` +
        `No Node for ${process.platform}-${process.arch} comes with this installation: install Node ${REQUIRED_MAJOR} yourself, or run "npm ci" again if you left out optional dependencies.\n`,
    );
    process.exitCode = 1;
    return;
  }
  runIn(node, args);
}

/** Path of the Node that npm installed beside Loom, or `undefined` where there is none for this machine. */
export function bundledNode() {
  const name = `node-${process.platform}-${process.arch}/package.json`;
  try {
    return join(dirname(nodeModule.createRequire(import.meta.url).resolve(name)), "bin", "node");
  } catch {
    return undefined;
  }
}

function runIn(node, args) {
  const child = spawn(node, args, { stdio: "inherit" });
  // A terminal sends Ctrl+C to the child as well; sent to this process alone, a signal has to be passed on.
  for (const signal of FORWARDED) process.on(signal, () => process.stdin.isTTY || child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`Loom could not start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
