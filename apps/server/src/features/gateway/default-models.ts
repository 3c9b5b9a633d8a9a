import { parsed } from "./json/value.ts";
import type { Transport, UpstreamHandler } from "./transport.ts";
import type { Upstream } from "./upstream.ts";
import { plainHeaders, type RequestHeaders } from "./upstream-request.ts";

const MAX_BYTES = 4 * 1024 * 1024;

/** A list of models is asked for again after so long, in milliseconds; one that was not to be had, sooner. */
const LIST_AGE_MS = 5 * 60_000;
const NO_LIST_AGE_MS = 30_000;

/** Nobody waits longer for the models of all providers because of one that is silent. */
const LIST_TIMEOUT_MS = 3_000;

/** Servers with models of their own are asked once which they have; the first is the default. */
export type DefaultModels = {
  /** `undefined` where the server does not say. */
  find(upstream: Upstream, credential: RequestHeaders): Promise<string | undefined>;
  known(upstream: string): string | undefined;
  /** The models that a provider lists, at most five minutes ago; none where it does not say. Never rejects. */
  list(upstream: Upstream, credential: () => Promise<RequestHeaders>): Promise<readonly string[]>;
};

export function createDefaultModels(options: {
  readonly transport: Transport;
  readonly timeoutMs: number;
}): DefaultModels {
  const found = new Map<string, string>();
  const lists = new Map<string, { readonly until: number; readonly ids: Promise<readonly string[]> }>();

  async function ask(upstream: Upstream, credential: () => Promise<RequestHeaders>): Promise<readonly string[]> {
    try {
      const timeoutMs = Math.min(options.timeoutMs, LIST_TIMEOUT_MS);
      const headers = plainHeaders(await credential(), upstream);
      return modelIds(await getText({ ...options, timeoutMs }, upstream, headers));
    } catch {
      return [];
    }
  }

  return {
    list(upstream, credential) {
      const now = Date.now();
      const last = lists.get(upstream.name);
      if (last !== undefined && last.until > now) return last.ids;
      const ids = ask(upstream, credential);
      lists.set(upstream.name, { until: now + LIST_AGE_MS, ids });
      void ids.then(({ length }) => {
        if (length === 0) lists.set(upstream.name, { until: now + NO_LIST_AGE_MS, ids });
      });
      return ids;
    },
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

/**
 * `{"data":[{"id":"…"}, …]}`, as OpenAI and Anthropic have it, `{"models":[{"name":"models/…"}, …]}` of Gemini or
 * `{"publisherModels":[{"name":"publishers/google/models/…"}, …]}` of Vertex AI.
 */
function modelIds(text: string): string[] {
  const value = parsed(text);
  if (typeof value !== "object" || value === null) return [];
  const { data, models, publisherModels } = value as Readonly<Record<string, unknown>>;
  const list = [data, models, publisherModels].find((each) => Array.isArray(each)) as readonly unknown[] | undefined;
  return (list ?? []).flatMap((entry) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { id, name, supportedGenerationMethods: methods } = entry as Readonly<Record<string, unknown>>;
    if (Array.isArray(methods) && !methods.includes("generateContent")) return [];
    const known = id ?? name;
    return typeof known === "string" ? [known.replace(/^(?:publishers\/[^/]+\/)?models\//, "")] : [];
  });
}
