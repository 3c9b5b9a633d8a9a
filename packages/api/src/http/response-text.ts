import type { IncomingMessage } from "node:http";
import { connectionError, ExchangeError } from "./exchange-error.ts";

export type ResponseTextOptions = {
  readonly maxBytes: number;
  /** What to do with a larger body: give an error, or its first `maxBytes`. */
  readonly larger: "fail" | "cut";
  /** Longest silence between two chunks. */
  readonly gapMs: number;
  /** For the whole body. */
  readonly totalMs: number;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The body of a response as UTF-8 text; bytes that are not UTF-8 become U+FFFD. Closes the connection where it does not
 * read to the end.
 * @throws ExchangeError
 */
export function responseText(response: IncomingMessage, options: ResponseTextOptions): Promise<string> {
  const { maxBytes, signal } = options;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;

    const settle = (finish: () => void): void => {
      clearTimeout(gap);
      clearTimeout(total);
      signal?.removeEventListener("abort", onAbort);
      finish();
    };
    const fail = (error: ExchangeError): void => {
      settle(() => reject(error));
      response.destroy();
    };
    const text = (): string => Buffer.concat(chunks).subarray(0, maxBytes).toString("utf8");

    const onAbort = (): void => fail(new ExchangeError("cancelled", "was asked to stop"));
    const onSilence = (): void =>
      fail(new ExchangeError("timeout", `stopped in the middle of its answer for ${options.gapMs / 1000} s`));
    const onTooLong = (): void =>
      fail(new ExchangeError("timeout", `needed more than ${options.totalMs / 1000} s for its answer`));
    const gap = setTimeout(onSilence, options.gapMs);
    const total = setTimeout(onTooLong, options.totalMs);

    response.on("error", (error) => settle(() => reject(connectionError(error))));
    // A connection that ends too early closes the response; the error does not always come with it.
    const onClose = (): void => settle(() => reject(new ExchangeError("connection", "closed the connection")));
    response.once("close", onClose);
    response.once("end", () => {
      // Every connection closes at last: no error has to be made for that.
      response.off("close", onClose);
      settle(() => resolve(text()));
    });
    response.on("data", (chunk: Buffer) => {
      gap.refresh();
      chunks.push(chunk);
      size += chunk.length;
      if (size <= maxBytes) return;
      if (options.larger === "fail") {
        fail(new ExchangeError("too_large", `sent an answer larger than ${maxBytes} bytes`));
        return;
      }
      settle(() => resolve(text()));
      response.destroy();
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
