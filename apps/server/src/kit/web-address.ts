import { isLoopbackName } from "./host-check.ts";
import type { RequestHead } from "./request-head.ts";

/** How browsers reach the server. */
export type WebAddress = {
  /** By https: their cookies are for that alone. By plain http, only on the loopback interface. */
  readonly secure: boolean;
  /** e.g. `https://loom.example.com`: the public one, or that of the request, whose Host has been checked by then. */
  originOf(request: RequestHead): string;
};

export function createWebAddress(options: {
  readonly publicUrl: string | undefined;
  readonly host: string;
  readonly tls: boolean;
}): WebAddress {
  const { publicUrl, host, tls } = options;
  // A server that listens wider without TLS has it in front of itself.
  const secure = publicUrl === undefined ? tls || !isLoopbackName(host) : publicUrl.startsWith("https:");
  const scheme = secure ? "https" : "http";
  return { secure, originOf: (request) => publicUrl ?? `${scheme}://${request.headers.host}` };
}
