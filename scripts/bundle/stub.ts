// First lines of a bundle. The application follows, packed, in a comment: V8 skips over a comment, but would parse a
// program, and parsing it costs more than all that `--version` does. What was unpacked and compiled is kept in the user's
// cache directory.

import { printAtOnce } from "../../apps/cli/src/output/print-at-once.ts";
import { unpackApplication } from "./application-comment.ts";

declare const BUNDLE: {
  readonly name: string;
  readonly digest: string;
  /** Of the application, in bytes. */
  readonly length: number;
  /** What is printed for these arguments, which are joined by NUL characters: the version, and the help of each command. */
  readonly answers: Readonly<Record<string, string>>;
};

type Script = InstanceType<typeof import("node:vm").Script>;

/** The application, and what V8 made of it. */
type Cached = { readonly code: Buffer; readonly application: string };

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
  compile(import.meta.filename).runInThisContext()(
    createRequire(import.meta.url),
    import.meta.url,
    import.meta.dirname,
  );
}

function compile(file: string): Script {
  const cacheFile = codeCacheFile();
  const cached = cacheFile === undefined ? undefined : readCache(cacheFile);
  const known = cached === undefined ? undefined : recognised(file, cached);
  if (known !== undefined) return known;
  const { Script } = process.getBuiltinModule("node:vm");
  const application = unpackApplication(fileSystem().readFileSync(file, "latin1"));
  const script = new Script(application, { filename: file });
  if (cacheFile !== undefined) process.once("exit", () => writeCache(cacheFile, script, application));
  return script;
}

/** Where V8 does not know its own code again, nothing that stands beside it is believed either. */
function recognised(filename: string, { application, code }: Cached): Script | undefined {
  const { Script } = process.getBuiltinModule("node:vm");
  try {
    const script = new Script(application, { filename, cachedData: code });
    return script.cachedDataRejected ? undefined : script;
  } catch {
    return undefined;
  }
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

/** One file, in which the application stands behind its code: V8 wants that at an even address. */
function readCache(file: string): Cached | undefined {
  const bytes = readTrusted(file);
  const start = (bytes?.length ?? 0) - BUNDLE.length;
  if (bytes === undefined || start <= 0) return undefined;
  return { code: bytes.subarray(0, start), application: bytes.toString("latin1", start) };
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
function writeCache(file: string, script: Script, application: string) {
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
    const bytes = Buffer.concat([script.createCachedData(), Buffer.from(application, "latin1")]);
    // On the disk before it has its name: what a power failure left of it would be run.
    writeFileSync(temporary, bytes, { mode: 0o600, flush: true });
    renameSync(temporary, file);
  } catch {}
}

run();
