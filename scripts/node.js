// `node scripts/node.js FILE ARGS` runs FILE, or a program of node_modules/.bin, on Node 24, whatever Node npm itself runs
// on. Plain JavaScript, because it has to run on Node 20. What FILE starts finds the same Node first in its PATH.
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundledNode, REQUIRED_MAJOR, runOnBundledNode } from "../packages/launcher/launch.js";

const bin = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));
const [name = "", ...args] = process.argv.slice(2);
const file = name.includes("/") ? resolve(name) : join(bin, name);
const isRecent = Number(process.versions.node.split(".")[0]) >= REQUIRED_MAJOR;
const node = isRecent ? process.execPath : (bundledNode() ?? process.execPath);
process.env.PATH = [dirname(node), bin, process.env.PATH ?? ""].join(delimiter);
if (isRecent) {
  process.argv.splice(1, process.argv.length, file, ...args);
  await import(pathToFileURL(file).href);
} else {
  runOnBundledNode([file, ...args]);
}
