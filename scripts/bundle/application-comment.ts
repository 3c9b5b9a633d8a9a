// How a bundle carries its application: packed (Zstandard, RFC 8878) and in base64, in one block comment behind the stub.
// Node reads a whole file and V8 looks at each character of a comment, so that a short one is worth unpacking it.

const START = "\n/* application, packed by scripts/build.ts\n";
const END = "\n*/\n";

/** @throws Error where the program cannot be carried: it is read back as Latin-1. */
export function packApplication(program: string): string {
  const foreign = program.search(/[\u0080-\uffff]/);
  if (foreign !== -1) {
    // esbuild escapes what stands in plain strings, and cannot in tagged templates and regular expressions.
    const place = program.slice(Math.max(0, foreign - 60), foreign + 20);
    throw new Error(
      `The bundled program is not all ASCII: write \\u.... in the tagged template with ${JSON.stringify(place)}.`,
    );
  }
  const { constants, zstdCompressSync } = process.getBuiltinModule("node:zlib");
  const params = { [constants.ZSTD_c_compressionLevel]: 19 };
  return `${START}${zstdCompressSync(Buffer.from(program, "latin1"), { params }).toString("base64")}${END}`;
}

/** The program that `packApplication` has put at the end of `bundle`. */
export function unpackApplication(bundle: string): string {
  const packed = bundle.slice(bundle.lastIndexOf(START) + START.length, -END.length);
  return process.getBuiltinModule("node:zlib").zstdDecompressSync(Buffer.from(packed, "base64")).toString("latin1");
}
