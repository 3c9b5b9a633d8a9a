// First lines of a bundle. The application follows in a comment: V8 skips over a comment, but would parse a program, and
// parsing it costs more than all that `--version` does. What was compiled is kept in the user's cache directory.

import type { Buffer } from "node:buffer";
import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { APPLICATION_END, APPLICATION_START, unquote } from "./application-comment.ts";

declare const BUNDLE: { readonly name: string; readonly versionLine: string; readonly digest: string };

const REQUIRED_MAJOR = 24;

function run() {
  if (Number(process.versions.node.split(".")[0]) < REQUIRED_MAJOR) {
    process.stderr.write(
      `${BUNDLE.name} needs Node ${REQUIRED_MAJOR} or newer and this is Node ${process.versions.node}.\n`,
    );
    process.exitCode = 1;
    return;
  }
  if (process.argv.length === 3 && process.argv[2] === "--version") {
    process.stdout.write(`${BUNDLE.versionLine}\n`);
    return;
  }
  const script = compile(fileURLToPath(import.meta.url));
  script.runInThisContext()(createRequire(import.meta.url), import.meta.url);
}

function compile(file: string): Script {
  const bundle = readFileSync(file, "latin1");
  const start = bundle.lastIndexOf(APPLICATION_START) + APPLICATION_START.length;
  const application = unquote(bundle.slice(start, bundle.lastIndexOf(APPLICATION_END)));
  const cacheFile = codeCacheFile();
  const cachedData = cacheFile === undefined ? undefined : readTrusted(cacheFile);
  const script = new Script(application, {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  if (cacheFile !== undefined && (cachedData === undefined || script.cachedDataRejected)) {
    process.once("exit", () => writeCache(cacheFile, script));
  }
  return script;
}

/** One file per build, Node and kind of run: help uses other functions than work does. */
function codeCacheFile(): string | undefined {
  const configured = process.env.XDG_CACHE_HOME;
  const base = configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), ".cache");
  if (!isAbsolute(base)) return undefined;
  const kind = process.argv.includes("--help") ? "help" : "work";
  return join(base, "loom", "code", `${BUNDLE.name}-${BUNDLE.digest}-${process.version}-${process.arch}-${kind}`);
}

/** The cache is code: it is used only if it is ours and nobody else may write it. */
function readTrusted(file: string): Buffer | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const { mode, uid } = fstatSync(descriptor);
    const ours = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    return ours ? readFileSync(descriptor) : undefined;
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Best effort: without a cache the next start is slower, nothing else. */
function writeCache(file: string, script: Script) {
  try {
    const directory = join(file, "..");
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, script.createCachedData(), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {}
}

run();
