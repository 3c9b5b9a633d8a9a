import type { LlmRequest } from "@loom/core";
import { namingBack, openAiDialectsFor, problemInWordsOf } from "@loom/llm";
import type { Dialect, RouteStep } from "../../gateway-types.ts";
import type { RawCall } from "../../kit/call.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { RequestMessage } from "../../kit/request-message.ts";
import { priceOf } from "./account.ts";
import { isCounted } from "./answered.ts";
import type { ClientHeaders } from "./client-headers.ts";
import { codecFor, codecOf, voiceOf } from "./codecs.ts";
import type { Delivery, DeliveryHost } from "./delivery.ts";
import { NO_SEALS, withoutForeignSeals } from "./foreign-seals.ts";
import { asksForEvents, targetForGoogle } from "./google-query.ts";
import { keptFor, mayReferBack } from "./issued-items.ts";
import { NativeDelivery } from "./native-delivery.ts";
import type { GatewayParts } from "./parts.ts";
import type { DecodedQuestion, Question } from "./question.ts";
import { namesProvider, type Target, type WireDialect } from "./target.ts";
import { TranslatedAnswer } from "./translated-answer.ts";
import { TranslatedStream } from "./translated-stream.ts";
import type { UpstreamRequest } from "./transport.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamErrors } from "./upstream-errors.ts";
import {
  isNative,
  nativeRequest,
  passedRequest,
  type RequestHeaders,
  routedRequest,
  streamedRequest,
  translatedRequest,
} from "./upstream-request.ts";
import type { TapKind } from "./usage-tap/tap-marks.ts";

/** One client's request on its way to one upstream: what goes out, and how what comes back gets to the client. */
export type Passage = {
  readonly dialect: WireDialect;
  readonly native: boolean;
  readonly request: UpstreamRequest;
  /** What the upstream's errors mean. */
  readonly errors: UpstreamErrors;
  /** The upstream was asked for token counts that the client did not want. */
  readonly hidesUsage: boolean;
  /** What of the request the upstream does not hear of, because its dialect has no place for it. */
  readonly leftOut?: readonly string[];
  deliver(host: DeliveryHost): Delivery;
};

export type Asked = {
  readonly call: RawCall;
  readonly target: Target;
  readonly headers: ClientHeaders;
  /** Absent: the body is passed on unread. */
  readonly question: Question | undefined;
  /** Who asks, as the ledger names them. */
  readonly subject: string;
  /** In Loom's words, made when first needed. */
  decoded?: DecodedQuestion;
};

/** @throws ProblemError where the request cannot be said in the upstream's dialect. */
export function openPassage(
  asked: Asked,
  step: RouteStep,
  upstream: Upstream,
  credential: RequestHeaders,
  parts: GatewayParts,
): Passage {
  const { question } = asked;
  const target = targetForGoogle(asked.target, upstream);
  if (question === undefined || target.operation === "use")
    return passedPassage({ ...asked, target }, step, upstream, credential, parts);
  if (target.operation === "count_tokens" && !canCount(target, upstream, step.model)) {
    throw new ProblemError("invalid_request", `The provider ${upstream.name} cannot count tokens for this client.`);
  }
  if (isNative(target, upstream, step.model)) {
    return nativePassage({ ...asked, target }, question, step, upstream, credential, parts);
  }
  return translatedPassage(asked, question, step, upstream, credential, parts);
}

/** Whether the upstream can be asked how many tokens the client's prompt has, in the client's own bytes. */
export function canCount(target: Target, upstream: Upstream, model: string): boolean {
  const { dialect } = target;
  if (dialect === "loom" || !isNative(target, upstream, model)) return false;
  return target.upstream === upstream.name || upstream.countPath(dialect, model) !== undefined;
}

function passedPassage(
  asked: Asked,
  step: RouteStep,
  upstream: Upstream,
  credential: RequestHeaders,
  { redact }: GatewayParts,
): Passage {
  const { target } = asked;
  const dialect = target.dialect === "loom" ? "chat" : target.dialect;
  const request = passedOn(asked, step, upstream, credential);
  const counts = target.operation === "use" && dialect === "chat" ? countsOfWork(target) : dialect;
  const errors = new UpstreamErrors(upstream, dialect, redact);
  const unjudged = { dialect, errors, counts, hideUsage: false, isAnswer: false, stream: false, answers: 1 };
  const deliver: Passage["deliver"] = (host) => new NativeDelivery(host, unjudged);
  return { dialect, native: true, hidesUsage: false, request, errors, deliver };
}

function passedOn(
  { call, target, headers, question }: Asked,
  step: RouteStep,
  upstream: Upstream,
  credential: RequestHeaders,
): UpstreamRequest {
  const options = { target, upstream, credential, forwarded: headers.forwarded };
  const read = question?.top?.bytes;
  if (question === undefined || read === undefined)
    return streamedRequest({ ...options, incoming: streamOf(call.incoming) });
  if (namesProvider(target)) return passedRequest({ ...options, body: read });
  const request = routedRequest({ ...options, question, step });
  if (request !== undefined) return request;
  throw new ProblemError(
    "invalid_request",
    `The provider ${upstream.name} does nothing of the kind in OpenAI's words: its own are beneath /proxy/${upstream.name}.`,
  );
}

function countsOfWork({ path }: Target): TapKind {
  return path.endsWith("/images/generations") ? "pictures" : "work";
}

function streamOf(incoming: RawCall["incoming"]): RequestMessage {
  if (incoming instanceof RequestMessage) return incoming;
  throw new Error("What is passed on as it comes has to be a stream.");
}

function nativePassage(
  { target, headers }: Asked,
  question: Question,
  step: RouteStep,
  upstream: Upstream,
  credential: RequestHeaders,
  parts: GatewayParts,
): Passage {
  const dialect = target.dialect === "loom" ? "chat" : target.dialect;
  const { top, stream, answers } = question;
  const seals = top === undefined ? NO_SEALS : withoutForeignSeals(top, dialect, step.model);
  const request = nativeRequest({
    target,
    question,
    step,
    upstream,
    credential,
    forwarded: headers.forwarded,
    mayAskForUsage: !parts.withoutStreamUsage.has(upstream.name),
    inside: seals.edits,
  });
  const { hideUsage } = request;
  const errors = new UpstreamErrors(upstream, dialect, parts.redact);
  const isAnswer = target.operation === "generate";
  const options = { dialect, errors, counts: dialect, hideUsage, isAnswer, stream, answers };
  return {
    dialect,
    native: true,
    hidesUsage: hideUsage,
    request,
    errors,
    leftOut: seals.leftOut,
    deliver: (host) => new NativeDelivery(host, options),
  };
}

function translatedPassage(
  asked: Asked,
  question: Question,
  step: RouteStep,
  upstream: Upstream,
  credential: RequestHeaders,
  parts: GatewayParts,
): Passage {
  asked.decoded ??= question.decode(codecOf);
  const { target, call, subject } = asked;
  const { wantsUsage, clientTools } = asked.decoded;
  // Loom's own dialect has a place for every seal.
  const foreign = target.dialect !== "loom";
  const request = foreign ? parts.seals.restore(subject, asked.decoded.request) : asked.decoded.request;
  const { stream } = question;
  const said = saidIn(upstream, { ...request, model: step.model }, { stream, client: target.dialect });
  const { dialect, codec, leftOut } = said;
  const outgoing = translatedRequest({ upstream, ...said, model: step.model, stream, credential });
  const eventStream = target.dialect !== "gemini" || asksForEvents(target.query);
  const voice = voiceOf(target.dialect, { eventStream });
  const identity = {
    id: call.id.replace("req-", "").replaceAll("-", ""),
    model: question.model,
    createdMs: Date.now(),
    wantsUsage,
    origin: dialect,
    ...(clientTools === undefined ? {} : { clientTools }),
    ...(mayReferBack(target, question) ? { issued: keptFor(subject, parts) } : {}),
  };
  const noted: TakeNote = (response) => {
    if (foreign) {
      parts.seals.remember(subject, response.message);
      return response;
    }
    const { model: answered, usage } = response;
    if (!isCounted(usage)) return response;
    const price = priceOf(parts.prices, { upstream: upstream.name, answered, asked: step.model, usage });
    return price === undefined ? response : { ...response, costMicroUsd: price.costMicroUsd };
  };
  const errors = new UpstreamErrors(upstream, dialect, parts.redact);
  return {
    dialect,
    native: false,
    hidesUsage: false,
    request: outgoing,
    errors,
    leftOut: [...new Set([...asked.decoded.leftOut, ...leftOut])],
    deliver: (host) =>
      stream
        ? new TranslatedStream(host, { decoder: codec.streamDecoder(), voice, identity, noted })
        : new TranslatedAnswer(host, { dialect, codec, errors, voice, identity, noted }),
  };
}

/**
 * The request in the upstream's dialect: of OpenAI's two in the first that can say it. With others, the second one is an
 * imitation, which may know less than it takes without complaint.
 */
function saidIn(
  upstream: Upstream,
  request: LlmRequest,
  options: { readonly stream: boolean; readonly client: Dialect },
) {
  const { kind, isCompatible } = upstream.config;
  const isOpenAi = kind === "openai" && !isCompatible;
  const dialects = isOpenAi ? openAiDialectsFor(request) : upstream.dialects(request.model).slice(0, 1);
  let problem: string | undefined;
  for (const dialect of dialects) {
    const codec = codecFor(upstream, dialect);
    const encoded = codec.encodeRequest(request, options);
    if (encoded.ok) {
      const { body, leftOut = [], toolNames } = encoded;
      return { dialect, codec: toolNames === undefined ? codec : namingBack(codec, toolNames), body, leftOut };
    }
    // The last one was to say what the first could not: what it lacks is what the client can do without.
    problem = options.client === "loom" ? encoded.problem : problemInWordsOf(options.client, encoded.problem);
  }
  throw new ProblemError("invalid_request", problem ?? `The provider ${upstream.name} speaks no dialect.`);
}

type TakeNote = ConstructorParameters<typeof TranslatedAnswer>[1]["noted"];
