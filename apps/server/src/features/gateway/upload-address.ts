import type { UpstreamHeaders } from "./transport.ts";
import type { Upstream } from "./upstream.ts";

/**
 * Google says where a file is to be sent to by an address of its own, where a client's token means nothing: through Loom it
 * is beneath the provider's path. An address of anybody else stays. `origin`: Loom's own, as the client knows it.
 */
export function withOwnUploadAddress(
  headers: UpstreamHeaders,
  { upstream, origin }: { readonly upstream: Upstream; readonly origin: () => string },
): UpstreamHeaders {
  const given = headers[UPLOAD];
  if (given === undefined || upstream.config.kind !== "gemini") return headers;
  const address = typeof given === "string" ? URL.parse(given) : null;
  const root = upstream.nativePath("");
  if (address?.origin !== upstream.origin || !address.pathname.startsWith(`${root}/`)) return headers;
  const path = address.pathname.slice(root.length);
  return { ...headers, [UPLOAD]: `${origin()}/proxy/${upstream.name}${path}${address.search}` };
}

const UPLOAD = "x-goog-upload-url";
