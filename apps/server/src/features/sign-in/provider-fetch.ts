import { isLoopbackName } from "../../kit/host-check.ts";
import { ProviderError } from "./provider.ts";

/** No answer of a provider is nearly as large. */
const MAX_BYTES = 1024 * 1024;
export const TIMEOUT_MS = 10_000;

export type FetchOptions = {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: RequestInit["body"];
  readonly signal?: AbortSignal | undefined;
};

/**
 * `fetch` for what is said to providers: by https, or on this machine; never along a redirect; with an end to time and
 * size. @throws ProviderError
 */
export async function providerFetch(address: string | URL, options: FetchOptions = {}): Promise<Response> {
  requireSafe(new URL(address));
  const { method = "GET", headers = {}, body = null, signal = AbortSignal.timeout(TIMEOUT_MS) } = options;
  const response = await fetch(address, { method, headers, body, signal, redirect: "manual" });
  const bytes = await boundedBody(response);
  const { status, statusText } = response;
  return new Response(bytes.length === 0 ? null : bytes, { status, statusText, headers: response.headers });
}

/** @throws ProviderError where others could listen. */
export function requireSafe(url: URL): void {
  const isHere = isLoopbackName(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere)) throw new ProviderError("not_https");
}

async function boundedBody(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new ProviderError("answer_too_large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
