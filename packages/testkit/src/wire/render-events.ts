import type { Delivery } from "../model/reply.ts";
import type { SseEvent } from "./dialect.ts";

/**
 * Server-sent events as text, one string for each event (WHATWG HTML, 9.2). With noise, an event's string begins with
 * whatever was slipped in before it, so that the number of strings stays the number of events.
 */
export function renderEvents(
  events: readonly SseEvent[],
  delivery: Delivery | undefined,
  noiseEvents: readonly SseEvent[],
): readonly string[] {
  const lineEnd = delivery?.lineEnd ?? "\n";
  if (!delivery?.noise) return events.map((event) => renderEvent(event, lineEnd));
  return events.map((event, index) => {
    const before = index === 0 ? `\uFEFF: stream begins${lineEnd}` : noiseBefore(index, noiseEvents, lineEnd);
    return before + renderNoisy(event, index, lineEnd);
  });
}

/** One event in the plainest form. */
export function renderEvent({ event, data }: SseEvent, lineEnd = "\n"): string {
  const name = event === undefined ? "" : `event: ${event}${lineEnd}`;
  return `${name}data: ${data}${lineEnd}${lineEnd}`;
}

function noiseBefore(index: number, noiseEvents: readonly SseEvent[], lineEnd: string): string {
  const extra = noiseEvents[index % noiseEvents.length];
  const comment = `: keep-alive ${index}${lineEnd}${lineEnd}`;
  return extra === undefined ? comment : comment + renderEvent(extra, lineEnd);
}

function renderNoisy({ event, data }: SseEvent, index: number, lineEnd: string): string {
  const lines = [
    ...(event === undefined ? [] : [index % 2 === 0 ? `event:${event}` : `event: ${event}`]),
    `id: ${index}`,
    "retry: 3000",
    "colour: a field nobody knows",
    "loneword",
    ...dataLines(data, index),
  ];
  return lines.map((line) => line + lineEnd).join("") + lineEnd;
}

// JSON data gets a padding field, and every third time a line break where JSON allows one.
function dataLines(data: string, index: number): readonly string[] {
  if (!data.startsWith('{"')) return [`data:${data}`];
  const padded = `"obfuscation":"${"x".repeat(index % 17)}",${data.slice(1)}`;
  return index % 3 === 0 ? ["data: {", `data: ${padded}`] : [`data:{${padded}`];
}
