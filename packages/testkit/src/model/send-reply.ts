import type { ServerResponse } from "node:http";
import type { JsonObject } from "@loom/core";
import type { Dialect, ErrorDetails, RefusedRequest } from "../wire/dialect.ts";
import { planDelivery } from "../wire/plan-delivery.ts";
import { prepareReply } from "../wire/prepare-reply.ts";
import { renderEvent, renderEvents } from "../wire/render-events.ts";
import { sendWrites } from "../wire/send-writes.ts";
import type { ConnectionWatch } from "./connection-watch.ts";
import type { Fault } from "./fault.ts";
import type { NormalizedRequest } from "./normalized-request.ts";
import type { Reply } from "./reply.ts";

/** One exchange that waits for its answer. */
export type Answer = {
  readonly response: ServerResponse;
  readonly watch: ConnectionWatch;
  readonly dialect: Dialect;
  readonly key: string;
  readonly number: number;
  readonly bodyBytes: number;
};

/** Sends what the script decided, with its faults. */
export async function sendReply(
  answer: Answer,
  reply: Reply,
  request: NormalizedRequest,
  body: JsonObject,
): Promise<void> {
  const { response, watch, dialect } = answer;
  const { fault, delivery } = reply;
  if (fault?.type === "status") return sendStatus(answer, fault);
  if (fault?.type === "silence" && fault.after === "nothing") return;
  if (fault?.type === "reset") {
    watch.endHere();
    response.socket?.resetAndDestroy();
    return;
  }
  if (fault?.type === "garbage") {
    response.writeHead(200, { "content-type": fault.contentType }).end(fault.body);
    return;
  }
  if (!request.stream && fault?.type === "error_event") {
    return sendStatus(answer, { ...fault, type: "status", status: 500 });
  }
  const prepared = prepareReply(reply, {
    number: answer.number,
    requestBytes: answer.bodyBytes,
    toolCallPrefix: dialect.toolCallPrefix,
  });
  const frames = request.stream
    ? renderEvents(dialect.events(prepared, request, body), delivery, dialect.noiseEvents)
    : halves(JSON.stringify(dialect.response(prepared, request)));
  const errorFrame = renderEvent(dialect.errorEvent(errorDetails(answer, 500, fault)), delivery?.lineEnd);
  const plan = planDelivery(frames, delivery, request.stream ? fault : inTheMiddle(fault), errorFrame);
  if (plan.ending === "cut") watch.endHere();
  const contentType = request.stream ? "text/event-stream; charset=utf-8" : "application/json";
  response.writeHead(200, {
    "content-type": fault?.type === "content_type" ? fault.contentType : contentType,
    "cache-control": "no-cache",
    [dialect.requestIdHeader]: requestId(answer),
  });
  if (fault?.type === "silence") return response.flushHeaders();
  await sendWrites(response, plan, delivery?.gapMs ?? 0);
}

/** Sends JSON with a status. */
export function sendJson(answer: Answer, status: number, body: JsonObject): void {
  answer.response
    .writeHead(status, { "content-type": "application/json", [answer.dialect.requestIdHeader]: requestId(answer) })
    .end(JSON.stringify(body));
}

/** Sends a refusal in the dialect's shape. */
export function sendError(answer: Answer, refusal: RefusedRequest): void {
  if (answer.response.headersSent) return void answer.response.destroy();
  sendStatus(answer, { type: "status", status: refusal.status, ...(refusal.message && { message: refusal.message }) });
}

function sendStatus(answer: Answer, fault: Extract<Fault, { type: "status" }> & { readonly errorType?: string }): void {
  const { response, dialect } = answer;
  const body = fault.body ?? dialect.errorBody(errorDetails(answer, fault.status, fault));
  const text = typeof body === "string" ? body : fillIn(JSON.stringify(body), answer.key);
  response
    .writeHead(fault.status, {
      "content-type": typeof body === "string" ? "text/plain; charset=utf-8" : "application/json",
      [dialect.requestIdHeader]: requestId(answer),
      ...fault.headers,
    })
    .end(text);
}

function errorDetails(answer: Answer, status: number, fault: Fault | undefined): ErrorDetails {
  const said = fault?.type === "status" || fault?.type === "error_event" ? fault : undefined;
  return {
    status,
    message: said?.message,
    errorType: said !== undefined && "errorType" in said ? said.errorType : undefined,
    requestId: requestId(answer),
  };
}

function requestId(answer: Answer): string {
  return `req_${String(answer.number).padStart(8, "0")}`;
}

// Providers quote a key back, some whole, OpenAI with its middle starred out.
function fillIn(text: string, key: string): string {
  const masked = key.length > 12 ? `${key.slice(0, 8)}${"*".repeat(key.length - 12)}${key.slice(-4)}` : "****";
  return text.replaceAll("{key}", () => key).replaceAll("{masked}", () => masked);
}

// An answer in one piece is two halves, so that a fault counted in events has a middle to strike in.
function halves(text: string): readonly string[] {
  const middle = Math.floor(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}

function inTheMiddle(fault: Fault | undefined): Fault | undefined {
  return fault !== undefined && "afterEvents" in fault ? { ...fault, afterEvents: 1 } : fault;
}
