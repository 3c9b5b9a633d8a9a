import { callTools, fail, fault, type NormalizedRequest, type Reply, type ScriptFunction, say } from "@loom/testkit";
import { TIME_TOOL, WEATHER_TOOL } from "./sdk/sdk-client.testing.ts";

/** What the person says decides what the model does. */
export const PROMPT = {
  greet: "Say hello.",
  tools: "How is the weather in Zürich, and what time is it there?",
  picture: "What is in the picture?",
  forecast: "A forecast as JSON.",
  endless: "Go on and on.",
  hang: "Begin and never end.",
  silence: "Never begin.",
  tooFast: "Ask too often.",
  tooFastOnce: "Ask too often, but only once.",
  overloaded: "Ask in the rush hour.",
  breakOff: "Fail in the middle.",
  unknownModel: "Ask a model that is not there.",
} as const;

/** The same in every answer, so that what a client counts can be compared. */
export const USAGE = {
  inputTokens: 100,
  cacheReadTokens: 30,
  cacheWriteTokens: 0,
  cacheWriteLongTokens: 0,
  outputTokens: 40,
  reasoningTokens: 6,
} as const;

export const GREETING = "Grüezi! ☀️ Here I am, in more than one piece.";
export const THOUGHT = "Two questions at once: I ask both tools.";
export const SEAL = "c2VhbCBvZiB0aGUgdGhvdWdodA==";
export const CALLS = [
  { name: WEATHER_TOOL.name, input: { city: "Zürich, Switzerland" } },
  { name: TIME_TOOL.name, input: { zone: "Europe/Zurich" } },
] as const;
export const FORECAST = { city: "Zürich", degrees: 21 } as const;

/** Long enough that a client which does not wait as told is caught. */
export const RETRY_AFTER_SECONDS = 17;

/** A model that answers what `PROMPT` says. */
export function createScriptedTurns(): ScriptFunction {
  let refused = false;
  return (request) => {
    if (request.prompt !== PROMPT.tooFastOnce) return scriptedTurn(request);
    refused = !refused;
    return refused ? fail(fault.status(429, { retryAfter: 0 })) : say(GREETING, { usage: USAGE });
  };
}

function scriptedTurn({ prompt, turnResults, messages }: NormalizedRequest): Reply {
  const options = { usage: USAGE };
  if (turnResults.length > 0) return say(turnResults.map(({ name, text }) => `${name}: ${text}`).join("; "), options);
  switch (prompt) {
    case PROMPT.tools:
      return callTools(CALLS, { ...options, text: "Let me see.", thinking: { text: THOUGHT, signature: SEAL } });
    case PROMPT.picture: {
      const pictures = messages.flatMap(({ content }) =>
        content.flatMap((block) => (block.type === "image" && "data" in block ? [block] : [])),
      );
      const told = pictures.map(({ mediaType, data }) => `${mediaType} of ${data.length}`);
      return say(`I see ${told.join(", ") || "nothing"}.`, options);
    }
    case PROMPT.forecast:
      return say(JSON.stringify(FORECAST), options);
    case PROMPT.endless:
      return say("And on", { ...options, stopReason: "max_tokens" });
    case PROMPT.hang:
      return say(GREETING, { fault: fault.stallAfter(6), delivery: { deltas: 8 } });
    case PROMPT.silence:
      return fail(fault.neverAnswer());
    case PROMPT.tooFast:
      return fail(fault.status(429, { retryAfter: RETRY_AFTER_SECONDS }));
    case PROMPT.overloaded:
      return fail(fault.status(503));
    case PROMPT.unknownModel:
      return fail(fault.status(404));
    case PROMPT.breakOff:
      return say(GREETING, { fault: fault.errorEvent(5), delivery: { deltas: 8 } });
    default:
      return say(GREETING, options);
  }
}
