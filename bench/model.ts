import { subscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import {
  callTools,
  type NormalizedRequest,
  pickCommandTool,
  type RecordedRequest,
  type Reply,
  say,
  startScriptedModel,
} from "@loom/testkit";

/** What the scripted model does in a run: so many shell calls, one a turn, then a text in so many pieces. */
export type Scenario = { readonly toolTurns: number; readonly deltas: number };

/** One request of an agent and its answer, as the model's side of the wire sees them. Times in milliseconds. */
export type Exchange = {
  readonly requestStartedAt: number;
  readonly responseFinishedAt: number;
  readonly requestBytes: number;
  /** False for side errands, such as asking for a title. */
  readonly offersTools: boolean;
};

export type BenchModel = {
  readonly url: string;
  /** Sets what the next run meets, and forgets the exchanges so far. */
  begin(scenario: Scenario): void;
  /** The exchanges since `begin`, oldest first. */
  exchanges(): readonly Exchange[];
  close(): Promise<void>;
};

/** The command of every tool call. It does nothing, so that what is left is the agent's own work. */
export const SHELL_COMMAND = "true";

/** What one delta says. */
export const DELTA = "twelve bytes";

// A provider sends a few events a packet; one write for each would measure the kernel's merging instead.
const EVENTS_PER_WRITE = 10;

type Times = { startedAt: number; finishedAt: number };

export async function startBenchModel(): Promise<BenchModel> {
  let scenario: Scenario = { toolTurns: 0, deltas: 1 };
  const times = new WeakMap<IncomingHttpHeaders, Times>();
  // Node's own server announces both moments: exact, and without a word in the way of the bytes.
  subscribe("http.server.request.start", (message) => {
    const { request } = message as { request: IncomingMessage };
    times.set(request.headers, { startedAt: performance.now(), finishedAt: Number.NaN });
  });
  subscribe("http.server.response.finish", (message) => {
    const { request } = message as { request: IncomingMessage };
    const entry = times.get(request.headers);
    if (entry !== undefined) entry.finishedAt = performance.now();
  });
  const model = await startScriptedModel({ script: (request) => answer(request, scenario) });
  const exchange = ({ headers, bodyBytes, conversation }: RecordedRequest): Exchange => ({
    requestStartedAt: times.get(headers)?.startedAt ?? Number.NaN,
    responseFinishedAt: times.get(headers)?.finishedAt ?? Number.NaN,
    requestBytes: bodyBytes,
    offersTools: (conversation?.tools.length ?? 0) > 0,
  });
  return {
    url: model.url,
    begin(next) {
      scenario = next;
      // Or this process grows by every body, and with it the time that it takes to start another.
      model.forget();
    },
    exchanges: () => model.requests.filter((request) => request.conversation !== undefined).map(exchange),
    close: () => model.close(),
  };
}

function answer(request: NormalizedRequest, { toolTurns, deltas }: Scenario): Reply {
  const call = pickCommandTool(request.tools, SHELL_COMMAND);
  if (call === undefined) return say("Bench");
  if (request.toolResults.length < toolTurns) return callTools([call], { text: "Running it." });
  return say(DELTA.repeat(deltas), { delivery: { deltas, eventsPerWrite: EVENTS_PER_WRITE } });
}
