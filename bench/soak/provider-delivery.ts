import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { Plan } from "./plan.ts";
import { errorBody, errorEvent, streamedAnswer, type WireDialect, wholeAnswer } from "./wire-answers.ts";

export type DeliveryState = {
  /** All of the answer was handed over. */
  readonly whole: boolean;
  readonly sentBytes: number;
  /** The plan was to break off. */
  readonly cutByUs: boolean;
};

export type ScriptedDelivery = { state(): DeliveryState; stop(): void };

type Asked = { readonly dialect: WireDialect; readonly stream: boolean; readonly model: string };

const TEN_MEGABYTES = Buffer.alloc(10_000_000, "x");

/** Answers as the plan says, piece by piece, no faster than the connection takes it. */
export function deliver(plan: Plan, { dialect, stream, model }: Asked, outgoing: ServerResponse): ScriptedDelivery {
  let whole = false;
  let sentBytes = 0;
  let cutByUs = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const later = (ms: number, work: () => void): void => {
    if (!stopped) timer = setTimeout(work, ms);
  };
  const cut = (): void => {
    cutByUs = true;
    outgoing.destroy();
  };
  const head = (status: number, headers: Record<string, string> = {}): void => {
    outgoing.writeHead(status, { "content-type": stream ? "text/event-stream" : "application/json", ...headers });
  };
  const refuse = (status: number, headers: Record<string, string> = {}): void => {
    head(status, { "content-type": "application/json", ...headers });
    outgoing.end(errorBody(dialect, status));
  };
  const send = (bytes: string | Buffer, next: () => void): void => {
    sentBytes += Buffer.byteLength(bytes);
    if (outgoing.write(bytes)) next();
    else outgoing.once("drain", next);
  };
  const done = (): void => {
    whole = true;
    if (plan.fault !== "never-closes") outgoing.end();
  };

  const sendStream = (): void => {
    const pieces = streamedAnswer(dialect, plan, model);
    const half = Math.floor(pieces.length / 2);
    const next = (index: number): void => {
      const piece = pieces[index];
      if (stopped || piece === undefined) return;
      if (index === half && plan.fault === "stall-between") return;
      if (index === half && plan.fault === "error-between") {
        send(errorEvent(dialect), () => outgoing.end());
        return;
      }
      if (index === half && plan.fault === "cut-mid-character") {
        const bytes = Buffer.from(piece);
        const inside = bytes.findIndex((byte) => byte >= 0x80) + 1;
        send(bytes.subarray(0, inside), () => later(20, cut));
        return;
      }
      send(piece, () => {
        if (index + 1 === pieces.length) done();
        else if (plan.gapMs > 0) later(plan.gapMs, () => next(index + 1));
        else setImmediate(() => next(index + 1));
      });
    };
    if (plan.gzip) sendPacked(pieces.join(""));
    else {
      head(200);
      next(0);
    }
  };
  const sendPacked = (text: string): void => {
    head(200, { "content-encoding": "gzip" });
    sentBytes += Buffer.byteLength(text);
    outgoing.write(gzipSync(text), done);
  };
  const sendWhole = (): void => {
    const text = wholeAnswer(dialect, plan, model);
    if (plan.fault === "cut-mid-character" || plan.fault === "stall-between" || plan.fault === "error-between") {
      const bytes = Buffer.from(text);
      head(200, { "content-length": String(bytes.length) });
      const inside = bytes.findIndex((byte) => byte >= 0x80) + 1;
      send(bytes.subarray(0, inside), () => later(20, plan.fault === "stall-between" ? () => undefined : cut));
      return;
    }
    if (plan.gzip) sendPacked(text);
    else {
      head(200);
      send(text, done);
    }
  };

  const start = (): void => {
    switch (plan.fault) {
      case "429-retry-after":
        refuse(429, { "retry-after": "1" });
        break;
      case "429":
        refuse(429);
        break;
      case "500":
        refuse(500);
        break;
      case "529":
        refuse(529);
        break;
      case "reset":
        cut();
        break;
      case "stall-first":
        break;
      case "error-first":
        head(200);
        send(stream ? errorEvent(dialect) : errorBody(dialect, 503), () => outgoing.end());
        break;
      case "html":
        head(200, { "content-type": "text/html" });
        send("<!doctype html><title>Sign in</title>", () => outgoing.end());
        break;
      case "wrong-type":
        head(200, { "content-type": "application/octet-stream" });
        send("\u0000\u0001\u0002", () => outgoing.end());
        break;
      case "no-newline":
        head(200);
        send(stream ? "data: " : '{"x":"', () => send(TEN_MEGABYTES, () => outgoing.end()));
        break;
      default:
        if (stream) sendStream();
        else sendWhole();
    }
  };
  later(plan.firstMs, start);
  return {
    state: () => ({ whole, sentBytes, cutByUs }),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
