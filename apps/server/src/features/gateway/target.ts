import type { Dialect } from "../../gateway-types.ts";
import type { ProviderKind } from "../../provider-config.ts";
import { isModelName } from "./model-name.ts";

export type WireDialect = Exclude<Dialect, "loom">;

/**
 * What a path asks for. `generate`, `count_tokens` and `models` are understood; `use` is other work with models, which
 * is passed on as it is; `administer` is everything else at a provider, such as its files and its users.
 */
export type Operation = "generate" | "count_tokens" | "models" | "use" | "administer";

/** Where a request wants to go, by its path alone. */
export type Target = {
  readonly dialect: Dialect;
  /** Absent: whoever has the model. */
  readonly upstream: string | undefined;
  readonly operation: Operation;
  /** Below the upstream, as the provider knows it; begins with a slash and has no query. */
  readonly path: string;
  /** With its question mark and without a token, or empty. */
  readonly query: string;
  /** Where the path names the model and how it is to answer, as Gemini's does. */
  readonly model?: string;
  readonly stream?: boolean;
  /** Other work that is done in OpenAI's words, as those name it, wherever it is done: `/embeddings`. */
  readonly work?: string;
};

/** Z.ai keeps its dialects under different roots. */
const ROOT = String.raw`^(?:/api(?:/anthropic|(?:/coding)?/paas)?)?(?:/v\d+(?:(?:alpha|beta)\d*)?)?`;
const KNOWN = new RegExp(
  `${ROOT}/(?:(messages)|(messages/count_tokens)|(chat/completions)|(responses)|(responses/input_tokens)|(models(?:/[^/:]+)?)|` +
    String.raw`((?:embeddings|completions|moderations|rerank|images/generations|audio/\w+|responses/compact)))$`,
);
const GOOGLE =
  /^(?:\/v\d+(?:(?:alpha|beta)\d*)?)?(?:\/projects\/[^/]+\/locations\/[^/]+)?(?:\/publishers\/(\w+))?\/models\/(.+):(\w+)$/;

const LOOM = /^\/([^/]+)\/(complete|stream)$/;
const PROXY = /^\/([^/]+)(\/.*)$/;

/** What a dialect endpoint that belongs to no provider answers at. */
export const DIALECT_PREFIXES = { "/anthropic/": "anthropic", "/openai/": "chat", "/gemini/": "gemini" } as const;

/** Whether the path says which provider is meant, whatever the model. */
export function namesProvider({ upstream }: Target): boolean {
  return upstream !== undefined && upstream !== "default";
}

/** Reads what comes behind `/proxy`. `kindOf` knows the providers that are set up. */
export function targetOfProxy(
  path: string,
  query: string,
  kindOf: (name: string) => ProviderKind | undefined,
): Target | undefined {
  const loom = LOOM.exec(path);
  if (loom !== null) {
    const upstream = decoded(loom[1]);
    if (upstream === undefined) return undefined;
    return { dialect: "loom", upstream, operation: "generate", path, query, stream: loom[2] === "stream" };
  }
  const match = PROXY.exec(path);
  if (match === null) return undefined;
  const [, upstream = "", rest = ""] = match;
  const target = classify(rest, query, dialectOfKind(kindOf(upstream) ?? upstream), upstream);
  if (target.operation === "models" && isHiddenWork(rest)) return undefined;
  return target.operation === "administer" && isAlmostKnown(rest) ? undefined : target;
}

/** What a provider may take for work with a model, though it is spelt differently: nobody would count what it uses. */
function isAlmostKnown(path: string): boolean {
  const plain = decoded(path)?.replace(/;.*$/, "").replace(/\/+$/, "").toLowerCase();
  if (plain === undefined) return true;
  const google = GOOGLE.exec(plain);
  if (google !== null) return GOOGLE_METHODS.has(google[3] ?? "");
  return KNOWN.test(plain) && !/\/models(?:\/[^/:]+)?$/.test(plain);
}

/** Work with models, in lower case. */
const GOOGLE_METHODS: ReadonlySet<string> = new Set([
  "generatecontent",
  "streamgeneratecontent",
  "rawpredict",
  "streamrawpredict",
  "counttokens",
  "embedcontent",
  "batchembedcontents",
  "computetokens",
  "predict",
]);

/** Work with a model, encoded so that it looks like a model's name. */
function isHiddenWork(path: string): boolean {
  return path.includes("%") && METHOD.test(decoded(path) ?? "");
}

/** Reads what comes behind `/anthropic`, `/openai` or `/gemini`. */
export function targetOfDialect(path: string, query: string, dialect: WireDialect): Target {
  const named = ONE_MODEL.exec(path)?.[1];
  const model = named === undefined || METHOD.test(named) ? undefined : decoded(named);
  if (model !== undefined) return { dialect, upstream: undefined, operation: "models", path, query, model };
  const whole = dialect === "gemini" ? path.replace(WITHOUT_KIND, (_, version) => `${version}/models/`) : path;
  return classify(whole, query, dialect, undefined);
}

/** Names of models here have slashes and colons in them. */
const ONE_MODEL = /^(?:\/v\d+(?:(?:alpha|beta)\d*)?)?\/models\/(.+)$/;

/** What is done with a model; some clients encode the colon, which means the same to Google. */
const METHODS =
  "generateContent|streamGenerateContent|countTokens|computeTokens|embedContent|batchEmbedContents|asyncBatchEmbedContent|" +
  "batchGenerateContent|generateAnswer|predict|predictLongRunning|fetchPredictOperation|serverStreamingPredict|rawPredict|streamRawPredict";
const METHOD = new RegExp(`(?::|%3a)(?:${METHODS})$`, "i");
const ENCODED_COLON = new RegExp(`%3a(?=(?:${METHODS})$)`, "i");

/** Some clients leave `models/` away where the name of a model has a slash: `/v1beta/lab/qwen3:generateContent`. */
const WITHOUT_KIND = new RegExp(
  String.raw`^(/v\d+(?:(?:alpha|beta)\d*)?)/(?!(?:models|tunedModels|projects|publishers)/)(?=[^/:]+(?:/|%2[fF]).+(?::|%3[aA])(?:${METHODS})$)`,
);

function classify(path: string, query: string, fallback: WireDialect, upstream: string | undefined): Target {
  const common = { upstream, path, query };
  const known = path.includes("%") && METHOD.test(path) ? null : KNOWN.exec(path);
  if (known !== null) {
    if (known[1] !== undefined) return { ...common, dialect: "anthropic", operation: "generate" };
    if (known[2] !== undefined) return { ...common, dialect: "anthropic", operation: "count_tokens" };
    if (known[3] !== undefined) return { ...common, dialect: "chat", operation: "generate" };
    if (known[4] !== undefined) return { ...common, dialect: "responses", operation: "generate" };
    if (known[5] !== undefined) return { ...common, dialect: "responses", operation: "count_tokens" };
    if (known[6] !== undefined) return { ...common, dialect: fallback, operation: "models" };
    const work = fallback === "chat" ? { work: `/${known[7]}` } : {};
    return { ...common, dialect: fallback, operation: "use", ...work };
  }
  const google = GOOGLE.exec(path.includes("%") ? path.replace(ENCODED_COLON, ":") : path);
  const model = decoded(google?.[2]);
  if (google === null || model === undefined) return { ...common, dialect: fallback, operation: "administer" };
  return { ...common, ...googleOperation(google[1], model, google[3] ?? "") };
}

/** `models/{model}:{method}`, of Gemini itself and of the models of others on Vertex AI. */
function googleOperation(
  publisher: string | undefined,
  model: string,
  method: string,
): Pick<Target, "dialect" | "operation" | "model" | "stream"> {
  const dialect = publisher === "anthropic" ? "anthropic" : "gemini";
  if (model === "count-tokens") return { dialect, operation: "count_tokens" };
  switch (method) {
    case "generateContent":
    case "rawPredict":
      return { dialect, operation: "generate", model, stream: false };
    case "streamGenerateContent":
    case "streamRawPredict":
      return { dialect, operation: "generate", model, stream: true };
    case "countTokens":
      return { dialect, operation: "count_tokens", model };
    case "embedContent":
    case "batchEmbedContents":
    case "computeTokens":
    case "predict":
      return { dialect, operation: "use", model };
    default:
      // Batches, videos and whatever else goes on behind an answer that says nothing of what it costs.
      return { dialect, operation: "administer" };
  }
}

function dialectOfKind(kind: string): WireDialect {
  switch (kind) {
    case "anthropic":
      return "anthropic";
    case "gemini":
    case "vertex":
      return "gemini";
    default:
      return "chat";
  }
}

/** Whether a provider could read the path as another one than the one that was looked at here. */
export function isAmbiguousPath(path: string): boolean {
  return (
    AMBIGUOUS.test(path) && AMBIGUOUS.test(path.replace(MODEL_AT_END, (part) => (isEncodedModel(part) ? "x" : part)))
  );
}

/** The name of a model is one part of a path, and clients encode what is in it. */
const MODEL_AT_END = /(?<=\/models\/)[^/]+$/;

/** Of which nothing changes the path when it is decoded, once or twice. */
function isEncodedModel(part: string): boolean {
  const model = decoded(part);
  return model !== undefined && isModelName(model) && !/\/\/|^\/|\/$/.test(model);
}

const AMBIGUOUS = /\/\/|\\|%2f|%5c|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;

function decoded(part: string | undefined): string | undefined {
  if (part === undefined || !part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
