import { type AuditKeeper, actorOf } from "./audit.ts";
import type { Authenticate } from "./auth.ts";
import { bearerToken, missingTokenSentence } from "./auth.ts";
import { type BrowserSessions, subjectOfBrowser } from "./browser-session.ts";
import { type Call, OpenCall, type RawCall } from "./call.ts";
import type { TrustedProxies } from "./client-address.ts";
import { answerPreflight, crossOriginHeaders, isForOtherOrigins, isPreflight } from "./cross-origin.ts";
import { DatabaseUnavailable } from "./database-error.ts";
import type { Admitted, Answerer } from "./hono-app.ts";
import type { HostPolicy } from "./host-check.ts";
import { allowedOrigin, checkHostAndOrigin } from "./host-check.ts";
import { LiveList } from "./live-list.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { PlainRequests } from "./plain-http/plain-connections.ts";
import type { Action, Authorize, Resource } from "./policy.ts";
import { ProblemError, sendProblem } from "./problem-reply.ts";
import type { RawRequest, RawRoute } from "./raw-route.ts";
import type { RequestHead } from "./request-head.ts";
import type { RequestMessage } from "./request-message.ts";
import { recordRequests } from "./request-record.ts";
import type { ResponseMessage } from "./response-message.ts";
import type { Route } from "./route.ts";
import { createMatcher } from "./route-match.ts";
import { ANONYMOUS, type Subject } from "./subject.ts";

export type DispatcherOptions = {
  readonly routes: readonly Route[];
  readonly rawRoutes: readonly RawRoute[];
  readonly hosts: HostPolicy;
  readonly authenticate: Authenticate;
  /** Absent: cookies mean nothing. */
  readonly browsers?: BrowserSessions | undefined;
  readonly authorize: Authorize;
  readonly audit: AuditKeeper;
  readonly isTrustedProxy: TrustedProxies;
  /** While it holds, connections are not kept for another request. */
  readonly isStopping: () => boolean;
  readonly log: Log;
  readonly metrics: Metrics;
};

export type Dispatcher = {
  /** Answers one request, whatever it is; never throws. */
  handle(incoming: RequestMessage, outgoing: ResponseMessage): void;
  /** Those of the raw routes whose bodies are read as a whole. */
  readonly plain: PlainRequests;
  /** Ends what is still being answered: fires the signal of each. */
  abortOpen(): void;
};

/**
 * Every request takes the same way: host and origin, token, route, permission, input, handler. Nothing is said about
 * the routes of the server to somebody without a token.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { routes, rawRoutes, log } = options;
  const surroundings = {
    log,
    audit: options.audit,
    authorize: options.authorize,
    subjectNow,
    isTrustedProxy: options.isTrustedProxy,
  };
  const open = new LiveList<OpenCall>();
  const record = recordRequests({ log, metrics: options.metrics, open: () => open.size });
  const matchDirect = createMatcher(routes.filter((route) => route.contract.parseBody !== undefined));
  let hono: Promise<(admitted: Admitted) => void> | undefined;

  const answerer: Answerer = {
    async run({ call, subject }, route, params) {
      try {
        if (call instanceof OpenCall) call.route = `${route.contract.method} ${route.contract.path}`;
        if (subject.type === "anonymous" && route.contract.anonymous !== true) throw needsToken(call);
        const resource = await route.resourceOf(params, subject);
        if (resource === undefined) throw subject.type === "anonymous" ? needsToken(call) : nothingThere();
        if (route.contract.method !== "GET") mustBeKept();
        const refusal = refusalOf(call, subject, route, resource);
        if (refusal !== undefined) {
          await refusal.recorded;
          throw refusal.error;
        }
        await route.answer(call, params, queryOf(call.incoming), subject);
      } catch (error) {
        fail(call, error);
      }
    },
    fail({ call, subject }, error) {
      // Nothing is said about the routes of the server to somebody without a token.
      const isRoute = error instanceof ProblemError && ["not_found", "method_not_allowed"].includes(error.problem.code);
      fail(call, subject.type === "anonymous" && isRoute ? needsToken(call) : error);
    },
  };

  /** @throws ProblemError while what is done cannot be recorded. */
  function mustBeKept(): void {
    if (options.audit.accepts()) return;
    const detail = "The server cannot write its audit log, and does nothing without: look into its log, or try again.";
    throw new ProblemError("unavailable", detail, { retryable: true, retryAfterMs: 5_000 });
  }

  /** What the answer is where the policy says no, and when that is recorded. */
  function refusalOf(
    call: RawCall,
    subject: Subject,
    {
      action,
      hidden,
      isFor,
    }: { readonly action: Action; readonly hidden: boolean; readonly isFor?: string | undefined },
    resource: Resource,
  ): { readonly error: ProblemError; readonly recorded: Promise<void> | undefined } | undefined {
    const { allowed, policy, tells } = options.authorize(subject, action, resource);
    if (allowed) return undefined;
    if (subject.type === "anonymous") return { error: needsToken(call), recorded: undefined };
    const { type, id = "", organization } = resource;
    const details = { action };
    const actor = actorOf(subject);
    const recorded = call.audit.record({
      event: "access.denied",
      outcome: "denied",
      actor,
      target: { type, id },
      ...(organization === undefined ? {} : { organization }),
      details,
      policy,
      origin: call.origin,
    });
    const sentence = tells ?? isFor;
    const error = sentence === undefined && hidden ? nothingThere() : forbidden(sentence);
    return { error, recorded };
  }

  /** Somebody tries tokens. Nothing of the token itself is kept. */
  function unknownToken(call: RawCall): ProblemError {
    void call.audit.record({
      event: "access.unauthenticated",
      outcome: "denied",
      actor: actorOf(ANONYMOUS),
      origin: call.origin,
    });
    const headers = { "www-authenticate": 'Bearer error="invalid_token"' };
    return new ProblemError("unauthenticated", "The server does not know this token.", { headers });
  }

  /** @throws ProblemError for a token that nobody knows. */
  function authenticated(call: RawCall, token: string | undefined): Subject | Promise<Subject> {
    if (token === undefined) throw needsToken(call);
    const subject = options.authenticate(token, call);
    const orUnknown = (known: Subject | undefined): Subject => {
      if (known === undefined) throw unknownToken(call);
      return known;
    };
    return subject instanceof Promise ? subject.then(orUnknown) : orUnknown(subject);
  }

  /** A token comes before a cookie, also one that means nothing or cannot be read. */
  async function subjectOf(call: Call): Promise<Subject> {
    const { incoming } = call;
    const token = bearerToken(incoming);
    if (token !== undefined || incoming.headers.authorization !== undefined) {
      return authenticated(call, token);
    }
    const { browsers } = options;
    return browsers === undefined || incoming.headers.cookie === undefined
      ? ANONYMOUS
      : subjectOfBrowser(incoming, browsers);
  }

  /** As `subjectOf`; that a token is over by now is no attempt to guess one, and that it is not, no use of it. */
  async function subjectNow(incoming: RequestHead): Promise<Subject | undefined> {
    const token = bearerToken(incoming);
    if (token !== undefined) return options.authenticate(token, "before");
    const { browsers } = options;
    const subject = browsers && (await subjectOfBrowser(incoming, browsers, "before"));
    // Who came as somebody goes on as nobody else.
    return subject?.type === "anonymous" ? undefined : subject;
  }

  async function answer(call: OpenCall<RequestMessage, ResponseMessage>): Promise<void> {
    checkHostAndOrigin(call.incoming, options.hosts);
    const subject = await subjectOf(call);
    call.isFromNobody = subject.type === "anonymous";
    const direct = matchDirect(call.incoming.method ?? "", pathOf(call.incoming));
    if (direct !== undefined) return answerer.run({ call, subject }, direct.route, direct.params);
    hono ??= import("./hono-app.ts").then(({ createHonoApp }) => createHonoApp(routes, answerer));
    (await hono)({ call, subject });
  }

  /** Waits for nothing that is already known. */
  function answerRaw(call: OpenCall, route: RawRoute): void {
    const request = route.open(call);
    call.route = request.label;
    try {
      checkHostAndOrigin(call.incoming, options.hosts);
      const subject = authenticated(call, request.token);
      if (subject instanceof Promise) {
        subject.then((known) => admit(call, request, known)).catch((error: unknown) => refuse(call, request, error));
      } else admit(call, request, subject);
    } catch (error) {
      refuse(call, request, error);
    }
  }

  function admit(call: RawCall, request: RawRequest, subject: Subject): void {
    mustBeKept();
    const { action, isFor, resource } = request;
    const refusal = refusalOf(call, subject, { action, hidden: false, isFor }, resource);
    if (refusal === undefined) request.answer(subject);
    else if (refusal.recorded === undefined) refuse(call, request, refusal.error);
    else void refusal.recorded.then(() => refuse(call, request, refusal.error));
  }

  function refuse(call: RawCall, request: RawRequest, error: unknown): void {
    if (error instanceof ProblemError && !call.outgoing.headersSent) request.refuse(error);
    else fail(call, error);
  }

  function begin(call: OpenCall): void {
    const { outgoing } = call;
    if (options.isStopping()) outgoing.setHeader("connection", "close");
    open.add(call);
    // Of the response, not of the request: that one closes as soon as its body has been read.
    outgoing.on("close", () => {
      open.delete(call);
      if (!outgoing.writableFinished) call.stop();
      record.end(call);
    });
    // The client closed while we were writing: "close" says so too.
    outgoing.on("error", ignore);
  }

  /** Lets pages of allowed origins read the answer, whatever it will be. `true`: it is there already. */
  function answersOtherOrigin(call: OpenCall, raw: RawRoute | undefined): boolean {
    const { incoming, outgoing } = call;
    // Nearly no request comes from a page.
    if (incoming.headers.origin === undefined) return false;
    const origin = allowedOrigin(incoming, options.hosts);
    if (origin === undefined || (raw === undefined && !isForOtherOrigins(incoming.url ?? ""))) return false;
    outgoing.inEveryHead = crossOriginHeaders(origin);
    if (!isPreflight(call)) return false;
    call.route = "preflight";
    answerPreflight(call);
    return true;
  }

  function rawRouteOf(url: string): RawRoute | undefined {
    return rawRoutes.find(({ prefix }) => url.startsWith(prefix));
  }

  return {
    handle(incoming, outgoing) {
      const call = new OpenCall(incoming, outgoing, surroundings);
      begin(call);
      const raw = rawRouteOf(incoming.url ?? "");
      if (answersOtherOrigin(call, raw)) return;
      if (raw !== undefined) answerRaw(call, raw);
      else answer(call).catch((error: unknown) => fail(call, error));
    },
    plain: {
      accepts: (url) => rawRouteOf(url)?.readsWhole(url) === true,
      handle(incoming, outgoing) {
        const call = new OpenCall(incoming, outgoing, surroundings);
        begin(call);
        const raw = rawRouteOf(incoming.url);
        if (answersOtherOrigin(call, raw)) return;
        if (raw !== undefined) answerRaw(call, raw);
      },
    },
    abortOpen() {
      for (const call of open.all()) call.stop();
    },
  };
}

function ignore(): void {}

function nothingThere(): ProblemError {
  return new ProblemError("not_found", "There is nothing here by that name, or you may not see it.");
}

function forbidden(sentence = "This token does not allow the request."): ProblemError {
  return new ProblemError("forbidden", sentence);
}

/** RFC 6750, section 3. */
function needsToken({ incoming }: RawCall): ProblemError {
  const detail = missingTokenSentence(incoming);
  return new ProblemError("unauthenticated", detail, { headers: { "www-authenticate": "Bearer" } });
}

function fail(call: RawCall, error: unknown): void {
  const { outgoing, log } = call;
  if (error instanceof DatabaseUnavailable) log.error("request failed", { requestId: call.id, error: error.message });
  else if (!(error instanceof ProblemError)) {
    log.error("request failed", { requestId: call.id, error: error instanceof Error ? error.stack : String(error) });
  }
  if (outgoing.headersSent || outgoing.destroyed) {
    outgoing.destroy();
    return;
  }
  sendProblem(outgoing, problemOf(call, error), call.id);
}

function problemOf(call: RawCall, error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof DatabaseUnavailable) {
    return new ProblemError("unavailable", error.tells, { retryable: true, retryAfterMs: 1_000 });
  }
  return new ProblemError("internal", `The server made a mistake; its log has more under ${call.id}.`);
}

function pathOf(incoming: RequestHead): string {
  const url = incoming.url ?? "/";
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}

function queryOf(incoming: RequestHead): URLSearchParams {
  const url = incoming.url ?? "/";
  const start = url.indexOf("?");
  return new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
}
