import type { LlmRequest } from "@loom/core";
import { FOREIGN_SEAL } from "@loom/llm";
import type { RouteStep } from "../../gateway-types.ts";
import type { Call } from "../../kit/call.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { priceOf } from "./account.ts";
import type { ClientHeaders } from "./client-headers.ts";
import { codecFor, codecOf, voiceOf } from "./codecs.ts";
import type { Delivery, DeliveryHost } from "./delivery.ts";
import { NativeDelivery } from "./native-delivery.ts";
import type { GatewayParts } from "./parts.ts";
import type { DecodedQuestion, Question } from "./question.ts";
import type { Target, WireDialect } from "./target.ts";
import { TranslatedAnswer } from "./translated-answer.ts";
import { TranslatedStream } from "./translated-stream.ts";
import type { UpstreamRequest } from "./transport.ts";
import type { Upstream } from "./upstream.ts";
import {
  canCount,
  isNative,
  nativeRequest,
  passedRequest,
  type RequestHeaders,
  translatedRequest,
} from "./upstream-request.ts";

/** One client's request on its way to one upstream: what goes out, and how what comes back gets to the client. */
export type Passage = {
  readonly dialect: WireDialect;
  readonly native: boolean;
  readonly request: UpstreamRequest;
  /** The upstream was asked for token counts that the client did not want. */
  readonly hidesUsage: boolean;
  deliver(host: DeliveryHost): Delivery;
};

export type Asked = {
  readonly call: Call;
  readonly target: Target;
  readonly headers: ClientHeaders;
  /** Who asks. */
  readonly subject: string;
  /** Absent: the body is passed on unread. */
  readonly question: Question | undefined;
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
  const { target, question } = asked;
  if (question === undefined) return passedPassage(asked, upstream, credential);
  const isNativeHere = target.operation === "count_tokens" ? canCount : isNative;
  if (isNativeHere(target, upstream, step.model) && !holdsForeignSeal(question)) {
    return nativePassage(asked, question, step, upstream, credential, parts);
  }
  if (target.operation === "count_tokens") throw new ProblemError("unavailable", NO_COUNT, { retryable: true });
  return translatedPassage(asked, question, step, upstream, credential, parts);
}

/** Another step of a route, after the one that can count has failed: it would answer instead of counting. */
const NO_COUNT = "The model that counts for this one cannot be reached: try again.";

function passedPassage({ call, target, headers }: Asked, upstream: Upstream, credential: RequestHeaders): Passage {
  const dialect = target.dialect === "loom" ? "chat" : target.dialect;
  const { incoming } = call;
  const request = passedRequest({ target, upstream, credential, forwarded: headers.forwarded, incoming });
  const options = { dialect, hideUsage: false, isAnswer: false };
  return { dialect, native: true, hidesUsage: false, request, deliver: (host) => new NativeDelivery(host, options) };
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
  const request = nativeRequest({
    target,
    question,
    step,
    upstream,
    credential,
    forwarded: headers.forwarded,
    mayAskForUsage: !parts.withoutStreamUsage.has(upstream.name),
  });
  const { hideUsage } = request;
  const options = { dialect, hideUsage, isAnswer: target.operation === "generate" };
  return {
    dialect,
    native: true,
    hidesUsage: hideUsage,
    request,
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
  asked.decoded ??= restored(question.decode(codecOf), asked, parts);
  const { request, wantsUsage } = asked.decoded;
  const { stream } = question;
  const { dialect, codec, outgoing } = withinDepth(() => {
    const said = saidIn(upstream, { ...request, model: step.model }, { stream });
    return { ...said, outgoing: translatedRequest({ upstream, ...said, model: step.model, stream, credential }) };
  });
  const { target, call } = asked;
  const eventStream = target.dialect !== "gemini" || /[?&]alt=sse(?:&|$)/.test(target.query);
  const voice = voiceOf(target.dialect, { eventStream });
  const identity = {
    id: call.id.replace("req-", "").replaceAll("-", ""),
    model: question.model,
    createdMs: Date.now(),
    wantsUsage,
  };
  const priced: TranslatedPrice = (response) => {
    if (target.dialect !== "loom") {
      parts.seals.remember(asked.subject, response.message);
      return response;
    }
    const { model: answered, usage } = response;
    const price = priceOf(parts.prices, { upstream: upstream.name, answered, asked: step.model, usage });
    return price === undefined ? response : { ...response, costMicroUsd: price.costMicroUsd };
  };
  return {
    dialect,
    native: false,
    hidesUsage: false,
    request: outgoing,
    deliver: (host) =>
      stream
        ? new TranslatedStream(host, { decoder: codec.streamDecoder(), voice, identity, priced })
        : new TranslatedAnswer(host, { codec, voice, identity, priced }),
  };
}

/**
 * The request in the upstream's dialect: of OpenAI's two in the first that can say it. With others, the second one is an
 * imitation, which may know less than it takes without complaint.
 */
function saidIn(upstream: Upstream, request: LlmRequest, options: { readonly stream: boolean }) {
  const dialects = upstream.dialects(request.model);
  let problem: string | undefined;
  for (const dialect of upstream.config.kind === "openai" ? dialects : dialects.slice(0, 1)) {
    const codec = codecFor(upstream, dialect);
    const encoded = codec.encodeRequest(request, options);
    if (encoded.ok) return { dialect, codec, body: encoded.body };
    problem ??= encoded.problem;
  }
  throw new ProblemError("invalid_request", problem ?? `The provider ${upstream.name} speaks no dialect.`);
}

/** Loom's own clients keep everything themselves. */
function restored(decoded: DecodedQuestion, { target, subject }: Asked, { seals }: GatewayParts): DecodedQuestion {
  return target.dialect === "loom" ? decoded : { ...decoded, request: seals.restore(subject, decoded.request) };
}

/** What a client nests deeper than the stack is no mistake of the server's. */
function withinDepth<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ProblemError("invalid_request", "The request is nested too deeply for JSON.");
    }
    throw error;
  }
}

type TranslatedPrice = ConstructorParameters<typeof TranslatedAnswer>[1]["priced"];

/** A seal of another dialect, wrapped for the way through this client, means nothing to the provider. */
export function holdsForeignSeal({ top }: Question): boolean {
  return top?.bytes.includes(SEAL) === true;
}

const SEAL = Buffer.from(FOREIGN_SEAL, "latin1");
