import type { Transform } from "node:stream";

/** Takes a Content-Encoding off (RFC 9110, 8.4.1); `undefined` for one that nobody here knows. */
export function createContentDecoder(encoding: string): Transform | undefined {
  const zlib = process.getBuiltinModule("node:zlib");
  switch (encoding.toLowerCase()) {
    case "gzip":
    case "x-gzip":
      return zlib.createGunzip();
    case "deflate":
      return zlib.createInflate();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress();
    default:
      return undefined;
  }
}

/** The encoding that has to be taken off, or `undefined`. */
export function contentEncoding(value: string | string[] | undefined): string | undefined {
  const encoding = Array.isArray(value) ? value.join(",") : value;
  return encoding === undefined || encoding === "" || encoding.toLowerCase() === "identity" ? undefined : encoding;
}
