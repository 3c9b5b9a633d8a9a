// First lines of a bundle. The application follows in a comment: V8 skips over a comment, but would parse a program, and
// parsing it costs more than all that `--version` does. What was compiled is kept in the user's cache directory.

import { printAtOnce } from "../../apps/cli/src/output/print-at-once.ts";
import { APPLICATION_END, APPLICATION_START, unquote } from "./application-comment.ts";

declare const BUNDLE: {
  readonly name: string;
  readonly digest: string;
  /** What is printed for these arguments, which are joined by NUL characters: the version, and the help of each command. */
  readonly answers: Readonly<Record<string, string>>;
};

type Script = InstanceType<typeof import("node:vm").Script>;

const REQUIRED_MAJOR = 24;

// Not imported: Node builds a facade with every export of each module that is, and here a millisecond counts.
const fileSystem = () => process.getBuiltinModule("node:fs");
const paths = () => process.getBuiltinModule("node:path");

function run() {
  if (Number(process.versions.node.split(".")[0]) < REQUIRED_MAJOR) {
    process.stderr.write(
      `${BUNDLE.name} needs Node ${REQUIRED_MAJOR} or newer and this is Node ${process.versions.node}.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const question = process.argv.slice(2).join("\0");
  const answer = Object.hasOwn(BUNDLE.answers, question) ? BUNDLE.answers[question] : undefined;
  if (answer !== undefined) {
    printAtOnce(answer);
    return;
  }
  const { createRequire } = process.getBuiltinModule("node:module");
  compile(import.meta.filename).runInThisContext()(createRequire(import.meta.url), import.meta.url);
}

function compile(file: string): Script {
  const { Script } = process.getBuiltinModule("node:vm");
  const bundle = fileSystem().readFileSync(file, "latin1");
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

/** One file per build and Node. */
function codeCacheFile(): string | undefined {
  const configured = process.env.XDG_CACHE_HOME;
  const { isAbsolute, join } = paths();
  const { homedir } = process.getBuiltinModule("node:os");
  const base = configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), ".cache");
  if (!isAbsolute(base)) return undefined;
  return join(base, "loom", "code", `${BUNDLE.name}-${BUNDLE.digest}-${process.version}-${process.arch}`);
}

/** The cache is code: it is used only if it is ours and nobody else may write it. */
function readTrusted(file: string): NonSharedBuffer | undefined {
  const { closeSync, fstatSync, openSync, readFileSync } = fileSystem();
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
  const { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } = fileSystem();
  try {
    const directory = paths().dirname(file);
    // Step by step: Node's recursive way never returns where the file system refuses with ENOENT, as /proc does.
    const missing = [directory];
    for (let above = paths().dirname(directory); !existsSync(above); above = paths().dirname(above))
      missing.unshift(above);
    for (const each of missing) if (!existsSync(each)) mkdirSync(each, { mode: 0o700 });
    chmodSync(directory, 0o700);
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, script.createCachedData(), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {}
}

run();
