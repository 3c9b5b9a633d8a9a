import { refuse } from "./request-problem.ts";

/** Bytes as `data:` URLs hold them (RFC 2397), always in base64. */
export type InlineMedia = { readonly mediaType: string; readonly data: string };

const BASE64 = ";base64,";

export function dataUrl({ mediaType, data }: InlineMedia): string {
  return `data:${mediaType}${BASE64}${data}`;
}

/** The bytes of a `data:` URL in base64, without parameters such as `charset`; `undefined` for any other text. */
export function readDataUrl(url: string): InlineMedia | undefined {
  if (!/^data:/i.test(url)) return undefined;
  const start = url.indexOf(BASE64);
  if (start === -1 || url.indexOf(",") < start) return undefined;
  return { mediaType: url.slice("data:".length, start).split(";", 1)[0] ?? "", data: url.slice(start + BASE64.length) };
}

/** An address that a provider may be asked to fetch. Loom itself never does. */
export function readHttpUrl(url: string, path: string): string {
  return /^https?:\/\/[^/]/i.test(url) ? url : refuse(path, "must be a data: URL in base64, or begin with https://");
}

/** By the ending of a file's name; of documents that providers read. */
const TYPES: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  json: "application/json",
  xml: "text/xml",
  htm: "text/html",
  html: "text/html",
  rtf: "application/rtf",
  doc: "application/msword",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  ppt: "application/vnd.ms-powerpoint",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  odt: "application/vnd.oasis.opendocument.text",
};

/**
 * A file as OpenAI's clients send it: a `data:` URL, or bare base64 of what its name says; without a name it is a PDF, which
 * is what the field was made for. A name that does not say is refused.
 */
export function readFileData(data: string, filename: string | undefined, path: string): InlineMedia {
  const inline = readDataUrl(data);
  if (inline !== undefined) return inline;
  const ending = filename === undefined ? "pdf" : (/\.(\w+)$/.exec(filename)?.[1] ?? "").toLowerCase();
  const mediaType = Object.hasOwn(TYPES, ending) ? TYPES[ending] : undefined;
  return mediaType === undefined
    ? refuse(path, "is of a type that the file's name does not tell: send it as a data: URL, which does")
    : { mediaType, data };
}

/** Whether a document of this type can be read as text. */
export function isTextType(mediaType: string): boolean {
  return mediaType.startsWith("text/") || mediaType === "application/json";
}

/** Base64 of UTF-8 text as text, for providers that take documents of text as text. */
export function textFromBase64(data: string, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
  } catch {
    return refuse(path, "must be UTF-8 text in base64");
  }
}

/** How providers name the files that they keep. A file of one is unknown to every other. */
const FILE_IDS = { anthropic: /^file_/, openai: /^file-/, gemini: /^(files\/|https:\/\/|gs:\/\/)/ } as const;

/** The id of a file that lies at this provider; one that is plainly another's is refused. */
export function ownFile(fileId: string, owner: keyof typeof FILE_IDS, path: string): string {
  const foreign = Object.entries(FILE_IDS).some(([name, pattern]) => name !== owner && pattern.test(fileId));
  if (!foreign) return fileId;
  return refuse(path, "names a file that lies at another provider: send the file itself, or upload it to this one");
}
