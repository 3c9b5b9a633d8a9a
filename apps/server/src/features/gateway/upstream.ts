import { openAiDialects } from "@loom/llm";
import type { ProviderConfig } from "../../provider-config.ts";
import type { WireDialect } from "./target.ts";

/** A provider that is set up, as an address book: which of its doors speaks what. */
export type Upstream = {
  readonly name: string;
  readonly config: ProviderConfig;
  readonly origin: string;
  /** The dialects that it speaks for this model, the one to be translated to first. */
  dialects(model: string): readonly WireDialect[];
  /** Path of a request for an answer. */
  generatePath(dialect: WireDialect, model: string, options: { readonly stream: boolean }): string;
  /** Path of a request for a prompt's number of tokens; `undefined` where that cannot be asked in this dialect. */
  countPath(dialect: WireDialect, model: string): string | undefined;
  /** Where a path of the provider's own is. */
  nativePath(path: string): string;
  /**
   * Where other work with models is done, such as embeddings, by the name that OpenAI's paths have for it;
   * `undefined` where nobody does it in OpenAI's words.
   */
  workPath?(work: string): string | undefined;
  /** With the query that asks for all of them at once. */
  readonly modelsPath: string;
};

/** `/v1`, `/v1beta`: some give the address with the version in it, as some clients do. */
const VERSION = /\/v\d+(?:(?:alpha|beta)\d*)?$/;

export function createUpstream(config: ProviderConfig): Upstream {
  const base = new URL(config.baseUrl);
  const path = base.pathname.replace(/\/+$/, "");
  const version = VERSION.exec(path)?.[0];
  const root = version === undefined ? path : path.slice(0, -version.length);
  const common = { name: config.name, config, origin: base.origin };
  switch (config.kind) {
    case "anthropic":
      return {
        ...common,
        dialects: () => ANTHROPIC,
        generatePath: () => `${root}/v1/messages`,
        countPath: () => `${root}/v1/messages/count_tokens`,
        nativePath: (native) => root + native,
        modelsPath: `${root}/v1/models?limit=1000`,
      };
    case "gemini":
      return {
        ...common,
        dialects: () => GEMINI,
        generatePath: (_dialect, model, { stream }) =>
          `${root}/v1beta/models/${modelPart(model)}:${method("gemini", stream)}`,
        countPath: (_dialect, model) => `${root}/v1beta/models/${modelPart(model)}:countTokens`,
        nativePath: (native) => root + native,
        modelsPath: `${root}/v1beta/models?pageSize=1000`,
      };
    case "vertex": {
      const { project = "", location = "" } = config.vertex ?? {};
      const place = `/projects/${project}/locations/${location}`;
      const publishers = `${root}/v1${place}/publishers`;
      return {
        ...common,
        dialects: (model) => (model.startsWith("claude") ? ANTHROPIC : GEMINI),
        generatePath: (dialect, model, { stream }) =>
          `${publishers}/${dialect === "anthropic" ? "anthropic" : "google"}/models/${modelPart(vertexName(model))}:${method(dialect, stream)}`,
        countPath: (dialect, model) =>
          dialect === "anthropic"
            ? `${publishers}/anthropic/models/count-tokens:rawPredict`
            : `${publishers}/google/models/${modelPart(model)}:countTokens`,
        // Whose account a request runs on is decided here, and the address is that of one location.
        nativePath: (native) => root + native.replace(PLACE, place),
        modelsPath: `${root}/v1beta1/publishers/google/models`,
      };
    }
    case "zai": {
      // The coding plan has a root of its own; whoever gives one means it.
      const chat = version === undefined ? `${path}/api/paas/v4` : path;
      const messages = version === undefined ? `${path}/api/anthropic` : "/api/anthropic";
      return {
        ...common,
        dialects: () => ZAI,
        generatePath: (dialect) => (dialect === "anthropic" ? `${messages}/v1/messages` : `${chat}/chat/completions`),
        countPath: () => undefined,
        workPath: (work) => (work === COMPACTION ? undefined : chat + work),
        nativePath: (native) => zaiPath(native, { root: version === undefined ? path : "", chat, messages }),
        modelsPath: `${chat}/models`,
      };
    }
    case "openai":
    case "compatible": {
      return {
        ...common,
        dialects: (model) => (config.isCompatible ? CHAT : openAiDialects(model)),
        generatePath: (dialect) => `${path}/${dialect === "responses" ? "responses" : "chat/completions"}`,
        countPath: (dialect) =>
          dialect === "responses" && !config.isCompatible ? `${path}/responses/input_tokens` : undefined,
        // Whoever imitates OpenAI compacts nothing.
        workPath: (work) => (work === COMPACTION && config.isCompatible ? undefined : path + work),
        // The version stands in the address already, and clients bring their own.
        nativePath: (native) =>
          path + (version !== undefined && native.startsWith(`${version}/`) ? native.slice(version.length) : native),
        modelsPath: `${path}/models`,
      };
    }
  }
}

const COMPACTION = "/responses/compact";

const ANTHROPIC: readonly WireDialect[] = ["anthropic"];
const GEMINI: readonly WireDialect[] = ["gemini"];
const CHAT: readonly WireDialect[] = ["chat"];
const ZAI: readonly WireDialect[] = ["chat", "anthropic"];

const PLACE = /\/projects\/[^/]+\/locations\/[^/]+(?=\/|$)/;

/** Versions of Claude are behind an @ there: `claude-haiku-4-5-20251001` is `claude-haiku-4-5@20251001`. */
function vertexName(model: string): string {
  return model.startsWith("claude-") ? model.replace(/-(?=\d{8}$)/, "@") : model;
}

function method(dialect: WireDialect, stream: boolean): string {
  if (dialect === "anthropic") return stream ? "streamRawPredict" : "rawPredict";
  return stream ? "streamGenerateContent" : "generateContent";
}

/** A model as one segment of a path. */
export function modelPart(model: string): string {
  return encodeURIComponent(model).replaceAll("%40", "@");
}

/** Z.ai's own paths begin with `/api`; the short ones are what clients make of a plain base URL. */
function zaiPath(
  native: string,
  paths: { readonly root: string; readonly chat: string; readonly messages: string },
): string {
  if (native.startsWith("/api/")) return paths.root + native;
  if (/^\/v1\/messages(?:\/|$)/.test(native)) return paths.messages + native;
  return paths.chat + native.replace(/^\/v\d+(?=\/)/, "");
}
