import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { IMPORT_FORMATS, importThread } from "@loom/threads/import";
import { SessionFileError } from "@loom/threads/records";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { loadSettings, textOf } from "../settings.ts";
import { threadsIn } from "../thread-access.ts";
import { versionFacts } from "../version.ts";

const MAX_BYTES = 256 * 1024 * 1024;

/** Makes a thread of a session file of Loom or of another agent. */
export async function run(invocation: Invocation): Promise<number> {
  const [file = ""] = invocation.arguments;
  const wanted = textOf(invocation, "--format");
  const format = IMPORT_FORMATS.find((each) => each === wanted);
  const { directories } = await loadSettings(invocation);
  const text = contentOf(file);
  try {
    const imported = importThread(text, {
      directory: threadsIn(directories),
      private: invocation.flags.has("--private"),
      loomVersion: versionFacts().version,
      now: Date.now(),
      ...(format === undefined ? {} : { format }),
    });
    process.stderr.write(`A session of ${imported.format}; go on with it: loom resume ${imported.id}\n`);
    process.stdout.write(`${imported.id}\n`);
    return exitCodeOf("ok");
  } catch (error) {
    if (error instanceof SessionFileError) throw new CliError("usage", `${file} cannot be imported: ${error.message}`);
    throw error;
  }
}

/** @throws CliError `usage` that says why it cannot be read. */
function contentOf(file: string): string {
  let bytes: Buffer;
  try {
    const { size } = statSync(file);
    if (size > MAX_BYTES) throw new CliError("usage", `${file} is larger than ${MAX_BYTES} bytes.`);
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError("usage", `${file} cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
  if (!isUtf8(bytes)) throw new CliError("usage", `${file} is not UTF-8.`);
  return bytes.toString("utf8");
}
