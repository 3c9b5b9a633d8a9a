import type { IncomingMessage } from "node:http";
import type { RouteStep } from "../../gateway-types.ts";
import { VERSION } from "../../version.ts";
import type { Edit } from "./body-edits.ts";
import { asksForUsage, type BodyChanges, editedBody } from "./edited-body.ts";
import type { Question } from "./question.ts";
import type { Target, WireDialect } from "./target.ts";
import type { UpstreamRequest } from "./transport.ts";
import { modelPart, type Upstream } from "./upstream.ts";

export type RequestHeaders = Readonly<Record<string, string>>;

/** Whether the client's bytes can go to this upstream as they are, but for edits at their top level. */
export function isNative(target: Target, upstream: Upstream, model: string): boolean {
  const { dialect } = target;
  if (dialect === "loom") return false;
  if (upstream.dialects(model).includes(dialect)) return true;
  // A server in OpenAI's place may have both of its dialects; whoever names its path knows.
  return (
    upstream.config.kind === "openai" &&
    target.upstream === upstream.name &&
    (dialect === "chat" || dialect === "responses")
  );
}

export type NativeRequest = UpstreamRequest & {
  /** The stream will hold token counts that the client did not ask for. */
  readonly hideUsage: boolean;
};

/** The client's own request, at the upstream's address and with the upstream's credential. */
export function nativeRequest(options: {
  readonly target: Target;
  readonly question: Question;
  readonly step: RouteStep;
  readonly upstream: Upstream;
  readonly forwarded: readonly string[];
  readonly credential: RequestHeaders;
  /** Whether token counts may be asked for in a stream whose client did not. */
  readonly mayAskForUsage: boolean;
  /** What of the client's body is not for this upstream. */
  readonly inside: readonly Edit[];
}): NativeRequest {
  const { target, question, step, upstream, forwarded, credential } = options;
  const { top } = question;
  const dialect = target.dialect as WireDialect;
  const own = target.upstream === upstream.name;
  const counting = target.operation === "count_tokens";
  // Where Vertex AI counts the tokens of Claude's models, the body names the model.
  const inPath = own
    ? target.model !== undefined
    : dialect === "gemini" || (upstream.config.kind === "vertex" && !counting);
  // A client of Gemini names a version of its own, which the address has no part in.
  const keepsPath = own || (upstream.config.kind === "gemini" && VERSIONED_MODEL.test(target.path));
  const path = keepsPath
    ? upstream.nativePath(inPath && step.model !== target.model ? pathWithModel(target.path, step.model) : target.path)
    : ((counting ? upstream.countPath(dialect, step.model) : undefined) ??
      upstream.generatePath(dialect, step.model, { stream: question.stream }));
  const hideUsage =
    dialect === "chat" && question.stream && options.mayAskForUsage && top !== undefined && !asksForUsage(top);
  const changes: BodyChanges = {
    model: inPath || step.model === question.model ? undefined : step.model,
    vertex: dialect === "anthropic" && inPath && !own,
    usage: hideUsage,
    inside: options.inside,
  };
  const headers = [...forwarded, "accept-encoding", "identity"];
  pushHeaders(headers, credential);
  if (dialect === "anthropic" && !own && !hasHeader(forwarded, "anthropic-version")) {
    headers.push("anthropic-version", ANTHROPIC_VERSION);
  }
  return {
    method: "POST",
    path: path + target.query,
    headers,
    body: top === undefined ? null : editedBody(top, changes),
    hideUsage,
  };
}

const VERSIONED_MODEL = /^\/v\d+(?:(?:alpha|beta)\d*)?\/models\/[^:]+:\w+$/;

/** Gemini's path with another model; what is asked of it stays. */
function pathWithModel(path: string, model: string): string {
  return path.replace(/\/models\/.+?(?=(?::|%3a)\w+$)/i, () => `/models/${modelPart(model)}`);
}

type Passed = {
  readonly target: Target;
  readonly upstream: Upstream;
  readonly forwarded: readonly string[];
  readonly credential: RequestHeaders;
};

/** Other work with a model: as it was read, with the upstream's credential. */
export function passedRequest({ body, ...passed }: Passed & { readonly body: Buffer }): UpstreamRequest {
  return { method: "POST", path: passedPath(passed), headers: passedHeaders(passed), body };
}

/** The same of whoever has the model, at his path and under the name that he knows it by. `undefined`: he does no such work. */
export function routedRequest({
  question,
  step,
  ...passed
}: Passed & { readonly question: Question; readonly step: RouteStep }): UpstreamRequest | undefined {
  const { target, upstream } = passed;
  const path = target.work === undefined ? undefined : upstream.workPath?.(target.work);
  const { top } = question;
  if (path === undefined || top === undefined) return undefined;
  const model = step.model === question.model ? undefined : step.model;
  const body = editedBody(top, { model, vertex: false, usage: false, inside: [] });
  return { method: "POST", path: path + target.query, headers: passedHeaders(passed), body };
}

/** Anything else of a provider's own: as it comes, with the upstream's credential. */
export function streamedRequest({
  incoming,
  ...passed
}: Passed & { readonly incoming: IncomingMessage }): UpstreamRequest {
  const method = incoming.method ?? "GET";
  const headers = passedHeaders(passed);
  const length = incoming.headers["content-length"];
  const hasBody = incoming.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
  if (hasBody && length !== undefined) headers.push("content-length", length);
  return { method, path: passedPath(passed), headers, body: hasBody ? incoming : null };
}

function passedPath({ target, upstream }: Passed): string {
  return upstream.nativePath(target.path) + target.query;
}

function passedHeaders({ forwarded, credential }: Passed): string[] {
  const headers = [...forwarded, "accept-encoding", "identity"];
  pushHeaders(headers, credential);
  return headers;
}

/** A request in the upstream's dialect that was made here. */
export function translatedRequest(options: {
  readonly upstream: Upstream;
  readonly dialect: WireDialect;
  readonly model: string;
  readonly stream: boolean;
  readonly body: Readonly<Record<string, unknown>>;
  readonly credential: RequestHeaders;
}): UpstreamRequest {
  const { upstream, dialect, model, stream, credential } = options;
  const onVertex = upstream.config.kind === "vertex" && dialect === "anthropic";
  const { model: _model, ...rest } = options.body;
  const body = onVertex ? { ...rest, anthropic_version: "vertex-2023-10-16" } : options.body;
  const headers = [...OWN_HEADERS];
  pushHeaders(headers, credential);
  if (dialect === "anthropic") headers.push("anthropic-version", ANTHROPIC_VERSION);
  const query = dialect === "gemini" && stream ? "?alt=sse" : "";
  return {
    method: "POST",
    path: upstream.generatePath(dialect, model, { stream }) + query,
    headers,
    body: Buffer.from(JSON.stringify(body), "utf8"),
  };
}

/** Headers that no client's request goes with. */
export function plainHeaders(credential: RequestHeaders, upstream: Upstream): string[] {
  const headers = ["accept", "application/json", "accept-encoding", "identity", "user-agent", USER_AGENT];
  pushHeaders(headers, credential);
  if (upstream.config.kind === "anthropic") headers.push("anthropic-version", ANTHROPIC_VERSION);
  return headers;
}

const ANTHROPIC_VERSION = "2023-06-01";
const USER_AGENT = `loom/${VERSION}`;
const OWN_HEADERS: readonly string[] = [
  "content-type",
  "application/json",
  "accept",
  "application/json, text/event-stream",
  "accept-encoding",
  "identity",
  "user-agent",
  USER_AGENT,
];

function pushHeaders(headers: string[], more: RequestHeaders): void {
  for (const name in more) headers.push(name, more[name] ?? "");
}

function hasHeader(headers: readonly string[], name: string): boolean {
  for (let index = 0; index < headers.length; index += 2) if (headers[index]?.toLowerCase() === name) return true;
  return false;
}
