import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  br: promisify<Buffer, Buffer>(brotliDecompress),
  deflate: promisify<Buffer, Buffer>(inflate),
  gzip: promisify<Buffer, Buffer>(gunzip),
  zstd: promisify<Buffer, Buffer>(zstdDecompress),
};

export type ReadBody = { readonly text: string; readonly bytes: number };

/** The whole body, decompressed; what came so far where the client left in between. Not bounded: tests send it. */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The client left; the caller sees that at the connection.
  }
  const raw = Buffer.concat(chunks);
  const decode = DECODERS[request.headers["content-encoding"] ?? ""];
  const body = decode === undefined || raw.length === 0 ? raw : await decode(raw).catch(() => raw);
  return { text: body.toString("utf8"), bytes: raw.length };
}
