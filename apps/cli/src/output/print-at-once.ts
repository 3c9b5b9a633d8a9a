/**
 * Writes a short text to standard output without making the stream for it, which costs half of what `loom --version`
 * costs. A reader that is gone is no failure; a pipe that is full is left to the stream.
 */
export function printAtOnce(text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  try {
    // Not imported: as a module, node:fs also loads its promises.
    const { writeSync } = process.getBuiltinModule("node:fs");
    while (done < bytes.length) done += writeSync(1, bytes, done);
  } catch (error) {
    const isGone = error instanceof Error && "code" in error && error.code === "EPIPE";
    if (!isGone) process.stdout.write(bytes.subarray(done));
  }
}
