import { geminiTokenCount, responsesTokenCount } from "@loom/llm";
import type { Dialect } from "../../gateway-types.ts";
import type { RawCall } from "../../kit/call.ts";
import { chargedNodes, nodesWithoutPayers } from "../../kit/charged-nodes.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import type { RawRequest } from "../../kit/raw-route.ts";
import type { Subject } from "../../kit/subject.ts";
import type { Asker } from "./candidates.ts";
import { type ClientHeaders, readClientHeaders, splitQuery } from "./client-headers.ts";
import { Door } from "./door.ts";
import { Exchange } from "./exchange.ts";
import { withIssuedItems } from "./issued-items.ts";
import { listInDialect, modelInDialect } from "./model-list.ts";
import { noSuchPlace, pageOf, readPage } from "./model-page.ts";
import { NOT_FOR_EVERYBODY, nothingHere } from "./nothing-here.ts";
import { likelyPrompt } from "./output-bound.ts";
import type { GatewayParts } from "./parts.ts";
import { canCount } from "./passage.ts";
import { type Question, readQuestion } from "./question.ts";
import { MAX_BODY_BYTES, readBody } from "./read-body.ts";
import { requestIds, sendDialectProblem, sendJson } from "./reply.ts";
import { isAmbiguousPath, namesProvider, type Target, type WireDialect } from "./target.ts";
import { readUse } from "./use-question.ts";

export type Entrance = {
  readonly parts: GatewayParts;
  readonly askerOf: (subject: Subject) => Asker;
  /** For clients of a dialect that belongs to no provider here. */
  readonly modelNames: () => Promise<readonly string[]>;
};

/** A request at the gateway's door. `targetOf` reads its path; `undefined`: there is nothing there. */
export function openRequest(
  entrance: Entrance,
  call: RawCall,
  fallback: Dialect,
  targetOf: (path: string, query: string) => Target | undefined,
): RawRequest {
  const { path, query, token: queryToken } = splitQuery(call.incoming.url ?? "/");
  const target = isAmbiguousPath(path) ? undefined : targetOf(path, query);
  const headers = readClientHeaders(call.incoming, queryToken, entrance.parts.redact);
  const dialect = target?.dialect ?? fallback;
  const isAdministrative = target !== undefined && isAdministration(target, call);
  return {
    label: labelOf(target),
    token: headers.token,
    action: isAdministrative ? "administer" : "use",
    isFor: isAdministrative ? NOT_FOR_EVERYBODY : undefined,
    resource: { type: "model", ...(target?.upstream === undefined ? {} : { id: target.upstream }) },
    refuse: (problem) => sendDialectProblem(call.outgoing, dialect, problem, call.id),
    answer(subject) {
      checkFraming(call);
      checkNoWebSocket(call);
      if (target === undefined) throw nothingHere(path, fallback);
      answer(entrance, call, target, headers, askerFor(entrance, call, subject, target, headers));
    },
  };
}

/**
 * Models are listed by everybody, and deleted by few; what has a colon in its name may look like work with it. Where no
 * provider is named there is nothing to administer, which everybody is told.
 */
function isAdministration(target: Target, { incoming }: RawCall): boolean {
  if (!namesProvider(target)) return false;
  const { operation } = target;
  const { method = "GET" } = incoming;
  if (operation === "administer") return true;
  const isRead = method === "GET" || method === "HEAD";
  return (operation === "models" && !isRead) || (operation === "use" && !isRead && method !== "POST");
}

/** @throws ProblemError where nobody pays for it, which is in the ledger then: see `chargedNodes`. */
function askerFor(
  { askerOf, parts }: Entrance,
  call: RawCall,
  subject: Subject,
  target: Target,
  headers: ClientHeaders,
): Asker {
  const { payers } = headers;
  const asker = askerOf(subject);
  // The list of models is the server's own: it is charged to nobody, and has no row.
  const isOwnList = target.operation === "models" && target.upstream === undefined;
  if (payers === undefined && isOwnList) return asker;
  try {
    const nodes = chargedNodes(subject, payers);
    return nodes === asker.nodes ? asker : { ...asker, nodes };
  } catch (error) {
    if (error instanceof ProblemError && !isOwnList) {
      const { code, status } = error.problem;
      const alone = { ...asker, nodes: nodesWithoutPayers(subject) };
      new Door(parts, call, target, headers, alone).close(code === "forbidden" ? "refused" : "failed", status, code);
    }
    throw error;
  }
}

function answer(entrance: Entrance, call: RawCall, target: Target, headers: ClientHeaders, asker: Asker): void {
  const { parts } = entrance;
  const { operation } = target;
  const understood = operation === "generate" || operation === "count_tokens";
  const isOfPath = namesProvider(target);
  const isRead = understood || (operation === "use" && (isOfPath || target.work !== undefined) && isReadable(call));
  if (!isRead) {
    checkNoTrace(call);
    if (isOfPath)
      new Exchange(parts, { call, target, headers, question: undefined, subject: asker.subject }, asker).start();
    else if (operation === "models" && target.dialect !== "loom")
      sendModels(entrance, call, { ...target, dialect: target.dialect });
    else throw nothingHere(pathOf(call), target.dialect);
    return;
  }
  const door = new Door(parts, call, target, headers, asker);
  const refuse = (error: unknown): void => {
    const problem =
      error instanceof ProblemError
        ? error
        : new ProblemError("internal", `The server made a mistake; its log has more under ${call.id}.`);
    if (problem !== error) call.log.error("request failed", { requestId: call.id, error: String(error) });
    sendDialectProblem(call.outgoing, target.dialect, problem, call.id);
    door.close("failed", problem.problem.status, problem.problem.code);
  };
  try {
    checkMethod(call);
    if (target.dialect === "loom") checkMediaType(call);
  } catch (error) {
    refuse(error);
    return;
  }
  const ask = (body: Buffer): void => {
    if (door.isClosed) return;
    try {
      const whole = target.dialect === "responses" ? withIssuedItems(body, asker.subject, parts.items) : body;
      const question = understood ? readQuestion(target, whole) : readUse(target, whole);
      if (operation === "count_tokens" && estimated(entrance, call, target, question, asker)) {
        door.leave();
        return;
      }
      new Exchange(parts, { call, target, headers, question, subject: asker.subject }, asker).start();
    } catch (error) {
      refuse(error);
    }
  };
  readBody(call.incoming, ask, refuse);
}

/** Where the provider of the model cannot count in the client's dialect, the size of the prompt has to do, and what its pictures usually cost. */
function estimated({ parts }: Entrance, call: RawCall, target: Target, question: Question, { nodes }: Asker): boolean {
  const plan = parts.routing.plan({
    model: question.model,
    nodes,
    dialect: target.dialect,
    ...(target.upstream === undefined ? {} : { upstream: target.upstream }),
  });
  const [step] = plan.ok ? plan.steps : [];
  const upstream = step === undefined ? undefined : parts.upstreams.get(step.upstream);
  if (step === undefined || upstream === undefined) return false;
  if (canCount(target, upstream, step.model)) return false;
  const tokens = likelyPrompt(question, upstream, step.model);
  sendJson(call.outgoing, countInDialect(tokens, target.dialect), {
    ...requestIds(target.dialect, call.id),
    "x-loom-estimated": "true",
  });
  return true;
}

function countInDialect(tokens: number, dialect: Dialect): unknown {
  if (dialect === "gemini") return geminiTokenCount.encodeResponse(tokens);
  return dialect === "responses" ? responsesTokenCount.encodeResponse(tokens) : { input_tokens: tokens };
}

/** All models, or the one that the path names. */
function sendModels(
  { modelNames }: Entrance,
  call: RawCall,
  { model, dialect, query }: Target & { dialect: WireDialect },
): void {
  const { method } = call.incoming;
  if (method !== "GET" && method !== "HEAD") throw nothingHere(pathOf(call), dialect);
  const page = readPage(dialect === "anthropic" && model === undefined ? query : "");
  const headers = requestIds(dialect, call.id);
  const sendList = (names: readonly string[]): void => {
    const list = dialect === "anthropic" ? pageOf(names, page) : listInDialect(names, dialect);
    if (list !== undefined) sendJson(call.outgoing, list, headers);
    else sendDialectProblem(call.outgoing, dialect, noSuchPlace(), call.id);
  };
  modelNames()
    .then((names) => {
      if (model === undefined) sendList(names);
      else if (names.some((name) => name === model || name.endsWith(`/${model}`)))
        sendJson(call.outgoing, modelInDialect(model, dialect), headers);
      else {
        const problem = new ProblemError("unknown_model", `There is no model ${JSON.stringify(model)} here.`);
        sendDialectProblem(call.outgoing, dialect, problem, call.id);
      }
    })
    .catch((error: unknown) => {
      call.log.error("request failed", { requestId: call.id, error: String(error) });
      call.outgoing.destroy();
    });
}

/** Node's parser refuses most of what two servers could read as different requests; this is the rest. */
function checkFraming({ incoming }: RawCall): void {
  if (incoming.headers["transfer-encoding"] === undefined) return;
  const { headersDistinct } = incoming;
  const encodings = headersDistinct["transfer-encoding"] ?? [];
  const chunked = encodings.length === 1 && encodings[0]?.toLowerCase() === "chunked";
  if (!chunked || headersDistinct["content-length"] !== undefined) {
    throw new ProblemError("invalid_input", "The length of the body is given in an ambiguous way.");
  }
}

/**
 * Without its `Upgrade`, which belongs to this connection, it would be another request. What an upgrade to HTTP/2 asks for may
 * be left unanswered (RFC 9110, section 7.8).
 */
function checkNoWebSocket({ incoming }: RawCall): void {
  if (incoming.headers.upgrade === undefined || !/\bwebsocket\b/i.test(incoming.headers.upgrade)) return;
  throw new ProblemError("unsupported_upgrade", "Loom speaks no WebSockets to models: send the request over HTTP.", {
    headers: { upgrade: "HTTP/1.1" },
  });
}

/** Whether limits can know what it asks for; what is no JSON, such as a recording, is passed on as it comes. */
function isReadable({ incoming }: RawCall): boolean {
  const { "content-encoding": encoding = "identity", "content-length": length = "0" } = incoming.headers;
  const isPlain = encoding.toLowerCase() === "identity" && Number(length) <= MAX_BODY_BYTES;
  return incoming.method === "POST" && isPlain && isJson(incoming);
}

function checkMethod({ incoming }: RawCall): void {
  if (incoming.method === "POST") return;
  throw new ProblemError("method_not_allowed", "The method is not allowed here; allowed is: POST.", {
    headers: { allow: "POST" },
  });
}

/** Whoever answers TRACE sends back what came, and with it the provider's key. */
function checkNoTrace({ incoming }: RawCall): void {
  if (incoming.method !== "TRACE") return;
  throw new ProblemError("method_not_allowed", "TRACE is not passed on: its answer would hold the provider's key.", {
    headers: { allow: "GET, HEAD, POST, PUT, PATCH, DELETE" },
  });
}

function checkMediaType({ incoming }: RawCall): void {
  if (isJson(incoming)) return;
  throw new ProblemError("unsupported_media_type", "The body has to be JSON, with Content-Type application/json.", {
    headers: { "accept-post": "application/json" },
  });
}

function isJson({ headers }: RawCall["incoming"]): boolean {
  return /^application\/json\s*(?:;|$)/i.test(headers["content-type"] ?? "");
}

function pathOf({ incoming }: RawCall): string {
  return splitQuery(incoming.url ?? "/").path;
}

function labelOf(target: Target | undefined): string {
  if (target === undefined) return "none";
  const { dialect, operation, stream } = target;
  if (dialect === "loom") return stream === true ? "POST /proxy/{provider}/stream" : "POST /proxy/{provider}/complete";
  return `${dialect} ${operation}`;
}
