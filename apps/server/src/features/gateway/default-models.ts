import type { Transport, UpstreamHandler } from "./transport.ts";
import type { Upstream } from "./upstream.ts";
import { plainHeaders, type RequestHeaders } from "./upstream-request.ts";

const MAX_BYTES = 4 * 1024 * 1024;

/** Servers with models of their own are asked once which they have; the first is the default. */
export type DefaultModels = {
  /** `undefined` where the server does not say. */
  find(upstream: Upstream, credential: RequestHeaders): Promise<string | undefined>;
  known(upstream: string): string | undefined;
};

export function createDefaultModels(options: {
  readonly transport: Transport;
  readonly timeoutMs: number;
}): DefaultModels {
  const found = new Map<string, string>();
  return {
    async find(upstream, credential) {
      const known = found.get(upstream.name);
      if (known !== undefined) return known;
      const [first] = modelIds(await getText(options, upstream, plainHeaders(credential, upstream)));
      if (first !== undefined) found.set(upstream.name, first);
      return first;
    },
    known: (upstream) => found.get(upstream),
  };
}

/** Gives "" for anything but a whole answer with status 200 in time. */
function getText(
  { transport, timeoutMs }: { readonly transport: Transport; readonly timeoutMs: number },
  upstream: Upstream,
  headers: string[],
): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    let stop = (): void => {};
    const timer = setTimeout(() => end(""), timeoutMs);
    const end = (text: string): void => {
      clearTimeout(timer);
      resolve(text);
      stop();
    };
    const handler: UpstreamHandler = {
      onRequestStart(control) {
        stop = () => control.abort(new Error("Nobody waits for this answer any more."));
      },
      onResponseStart(_control, status) {
        if (status !== 200) end("");
      },
      onResponseData(_control, chunk) {
        size += chunk.length;
        if (size > MAX_BYTES) end("");
        else parts.push(chunk);
      },
      onResponseEnd() {
        stop = () => {};
        end(Buffer.concat(parts).toString("utf8"));
      },
      onResponseError: () => end(""),
    };
    transport.dispatch(upstream.origin, { method: "GET", path: upstream.modelsPath, headers, body: null }, handler);
  });
}

/** `{"data":[{"id":"…"}, …]}`, as OpenAI and Anthropic have it. */
function modelIds(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof value !== "object" || value === null || !("data" in value) || !Array.isArray(value.data)) return [];
  return value.data.flatMap((entry: unknown) =>
    typeof entry === "object" && entry !== null && "id" in entry && typeof entry.id === "string" ? [entry.id] : [],
  );
}
