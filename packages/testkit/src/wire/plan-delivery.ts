import type { Fault } from "../model/fault.ts";
import type { Delivery } from "../model/reply.ts";

/** `end` finishes the HTTP body, `cut` closes the socket without that, `stall` leaves it open and silent. */
export type Ending = "end" | "cut" | "stall";

export type DeliveryPlan = { readonly writes: readonly (string | Uint8Array)[]; readonly ending: Ending };

const MANY_EVENTS = 200;
const EVENTS_PER_WRITE_OF_MANY = 100;

/**
 * Decides what goes into which write, and how it ends. `frames` are the events in order; `errorFrame` is what an
 * in-band error looks like in this dialect.
 */
export function planDelivery(
  frames: readonly string[],
  delivery: Delivery | undefined,
  fault: Fault | undefined,
  errorFrame: string,
): DeliveryPlan {
  switch (fault?.type) {
    case "stall":
      return { writes: groupWrites(frames.slice(0, fault.afterEvents), delivery), ending: "stall" };
    case "end":
      return { writes: groupWrites(frames.slice(0, fault.afterEvents), delivery), ending: "end" };
    case "error_event":
      return { writes: groupWrites([...frames.slice(0, fault.afterEvents), errorFrame], delivery), ending: "end" };
    case "cut":
      return planCut(frames, delivery, fault);
    default:
      return { writes: groupWrites(frames, delivery), ending: "end" };
  }
}

function planCut(
  frames: readonly string[],
  delivery: Delivery | undefined,
  fault: Extract<Fault, { type: "cut" }>,
): DeliveryPlan {
  const whole = frames.slice(0, fault.afterEvents);
  const rest = frames.slice(whole.length);
  if (fault.inside === undefined) return { writes: groupWrites(whole, delivery), ending: "cut" };
  if (fault.inside === "event") {
    const next = Buffer.from(rest[0] ?? "");
    return { writes: [...groupWrites(whole, delivery), next.subarray(0, Math.ceil(next.length / 2))], ending: "cut" };
  }
  const index = rest.findIndex((frame) => firstNonAscii(frame) !== -1);
  const frame = rest[index];
  if (frame === undefined) throw new Error("cutInsideCharacter needs a reply with a non-ASCII character");
  const before = [...whole, ...rest.slice(0, index)];
  const bytes = Buffer.from(frame).subarray(0, Buffer.byteLength(frame.slice(0, firstNonAscii(frame))) + 1);
  return { writes: [...groupWrites(before, delivery), bytes], ending: "cut" };
}

// A byte order mark comes from noise and is not a character of the answer.
function firstNonAscii(text: string): number {
  return text.search(/[^\x20-\x7e\r\n\uFEFF]/);
}

function groupWrites(frames: readonly string[], delivery: Delivery | undefined): readonly (string | Uint8Array)[] {
  if (delivery?.bytesPerWrite !== undefined) return sliceBytes(Buffer.from(frames.join("")), delivery.bytesPerWrite);
  const size = eventsPerWrite(frames.length, delivery);
  if (size <= 1) return frames;
  const writes: string[] = [];
  for (let start = 0; start < frames.length; start += size) writes.push(frames.slice(start, start + size).join(""));
  return writes;
}

function eventsPerWrite(events: number, delivery: Delivery | undefined): number {
  if (delivery?.eventsPerWrite !== undefined) return delivery.eventsPerWrite;
  return events > MANY_EVENTS && delivery?.gapMs === undefined ? EVENTS_PER_WRITE_OF_MANY : 1;
}

function sliceBytes(bytes: Buffer, size: number): readonly Uint8Array[] {
  const step = Math.max(1, Math.floor(size));
  return Array.from({ length: Math.ceil(bytes.length / step) }, (_, index) =>
    bytes.subarray(index * step, (index + 1) * step),
  );
}
