import { type IncomingHttpHeaders, request } from "node:http";

export type RawRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON. */
  readonly body?: string | Uint8Array | object;
};

export type RawResponse = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The chunks as they arrived. */
  readonly chunks: readonly Buffer[];
  /** Whether HTTP's own end of the body was seen. */
  readonly complete: boolean;
};

/** An exchange that is under way. */
export type OpenExchange = {
  readonly status: number;
  readonly received: () => string;
  /** Resolves once the body so far contains the text. */
  waitFor(text: string): Promise<void>;
  abort(): void;
};

/** One HTTP exchange on a connection of its own; rejects where no response begins. */
export function exchange(url: string, options: RawRequest = {}): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = send(url, options);
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      // A body that is cut short is an error and then a close; the close tells enough.
      response.on("error", () => undefined);
      response.on("close", () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: status = 0, headers, complete } = response;
        resolve({ status, headers, bytes, text: bytes.toString("utf8"), chunks, complete });
      });
    });
  });
}

/** Sends a request and does not wait for an answer; the function drops the connection. */
export function sendAndDrop(url: string, options: RawRequest = {}): () => void {
  const outgoing = send(url, options);
  outgoing.on("error", () => undefined);
  return () => void outgoing.destroy();
}

/** Resolves with the headers of a response whose body may never end. */
export function openExchange(url: string, options: RawRequest = {}): Promise<OpenExchange> {
  return new Promise((resolve, reject) => {
    const outgoing = send(url, options);
    let opened = false;
    outgoing.on("error", (error) => {
      if (!opened) reject(error);
    });
    outgoing.on("response", (response) => {
      opened = true;
      let received = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        received += text;
      });
      response.on("error", () => undefined);
      resolve({
        status: response.statusCode ?? 0,
        received: () => received,
        waitFor: (text) =>
          new Promise((found) => {
            const check = () => {
              if (!received.includes(text)) return;
              response.off("data", check);
              found();
            };
            response.on("data", check);
            check();
          }),
        abort: () => void outgoing.destroy(),
      });
    });
  });
}

function send(url: string, { method = "POST", headers = {}, body }: RawRequest) {
  const outgoing = request(url, { method, headers: { "content-type": "application/json", ...headers }, agent: false });
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : body && JSON.stringify(body);
  outgoing.end(bytes);
  return outgoing;
}
