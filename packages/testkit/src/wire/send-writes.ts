import type { ServerResponse } from "node:http";
import type { DeliveryPlan } from "./plan-delivery.ts";

/** Sends a plan at the pace the client reads; resolves early when the client leaves. */
export async function sendWrites(response: ServerResponse, plan: DeliveryPlan, gapMs: number): Promise<void> {
  response.flushHeaders();
  let first = true;
  for (const chunk of plan.writes) {
    if (gapMs > 0 && !first) await pause(response, gapMs);
    first = false;
    if (response.closed || response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  if (response.closed || response.destroyed) return;
  if (plan.ending === "end") response.end();
  if (plan.ending === "cut") response.socket?.destroySoon();
}

/** Waits, but no longer than the connection lives. */
function pause(response: ServerResponse, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      response.off("close", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    response.once("close", done);
  });
}

// A client that leaves never drains: wait for either.
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
