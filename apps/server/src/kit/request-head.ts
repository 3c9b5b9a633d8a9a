import type { IncomingHttpHeaders } from "node:http";

/** What a request says before its body. Node's own requests say it, and the plain ones of `plain-http`. */
export type RequestHead = {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  /** Flat, name after value, as they came. */
  readonly rawHeaders: string[];
  readonly headers: IncomingHttpHeaders;
  readonly headersDistinct: NodeJS.Dict<string[]>;
  readonly socket: { readonly remoteAddress?: string | undefined };
};
