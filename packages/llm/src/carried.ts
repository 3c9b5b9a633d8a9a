import type { WireDialect } from "./dialect.ts";

/**
 * What becomes of a part of a request on its way to a dialect. `left out` is a loss that does no harm: the answer may
 * cost more or vary more, but it is an answer to the same question. Everything else that cannot be said is refused.
 */
export type Fate = "carried" | "refused" | "left out";

export type CarriedFeature = {
  readonly name: string;
  /** The dialects whose clients can ask for it. */
  readonly askedBy: readonly WireDialect[];
  /** What becomes of it towards a model that speaks each dialect; `own`: carried to the dialect that it came from only. */
  readonly fate: "own" | Readonly<Record<WireDialect, Fate>>;
  /** In what other form it arrives, or why it is no harm that it does not. */
  readonly note?: string;
};

const ALL: readonly WireDialect[] = ["anthropic", "chat", "responses", "gemini"];
const EVERYWHERE = fates({});

/**
 * What each dialect can say, as data: the table in the documentation is made from it, and a test asks the codecs whether
 * it is true.
 */
export const CARRIED: readonly CarriedFeature[] = [
  {
    name: "Text, instructions, tools, calls and results",
    askedBy: ALL,
    fate: EVERYWHERE,
    note:
      "Schemas of tools for Claude are ones of objects: a choice at their top (`anyOf`, `oneOf`) is in their description, and " +
      "`x-loom-left-out` says `parts of schemas`.",
  },
  {
    name: "Instructions later in the conversation",
    askedBy: ["anthropic", "chat", "responses"],
    fate: EVERYWHERE,
    note:
      "In their place: as `system` in Chat Completions, as `developer` in Responses. Claude and Gemini get them in a part of " +
      "their own between `<system_instruction>` and `</system_instruction>`, and `x-loom-left-out` says `role of later instructions`.",
  },
  {
    name: "Errors of tools",
    askedBy: ["anthropic", "gemini"],
    fate: EVERYWHERE,
    note: "OpenAI's dialects have no field for it: the result begins with `Error:`.",
  },
  {
    name: "Images",
    askedBy: ALL,
    fate: EVERYWHERE,
    note: "Chat Completions has none in results of tools: they follow in the next message.",
  },
  {
    name: "Images at an address",
    askedBy: ALL,
    fate: EVERYWHERE,
    note: "The provider fetches them, never Loom. Vertex AI has to be told their type, by the client or by the ending of the address.",
  },
  {
    name: "PDFs",
    askedBy: ALL,
    fate: EVERYWHERE,
    note: "Without their title where the dialect has no place for one: `x-loom-left-out` says `titles of documents`.",
  },
  {
    name: "Documents of text",
    askedBy: ["anthropic", "gemini"],
    fate: EVERYWHERE,
    note: "As text, with its title above, but for Anthropic Messages.",
  },
  {
    name: "PDFs at an address",
    askedBy: ["anthropic", "responses", "gemini"],
    fate: fates({ chat: "refused" }),
  },
  {
    name: "Files by their id",
    askedBy: ALL,
    fate: "own",
    note: "An id means nothing to another provider. OpenAI's two dialects share theirs.",
  },
  {
    name: "Tools that the provider runs",
    askedBy: ALL,
    fate: "own",
    note: "Code execution, MCP servers and their like, and what they left in the conversation.",
  },
  {
    name: "Search of the web",
    askedBy: ["anthropic", "responses", "gemini"],
    fate: fates({ chat: "refused" }),
    note:
      "The answer comes without its list of sources. Gemini cannot be kept to domains or be made to search, and is refused those. " +
      "What else cannot be said of it is named (`tools.max_uses`). Only OpenAI has a search that does not go live " +
      "(`external_web_access: false`): elsewhere that is left out and named, `tools.web_search`. Codex asks for it unless its " +
      '`config.toml` says `web_search = "live"` or `"disabled"`.',
  },
  {
    name: "Choice of a tool",
    askedBy: ALL,
    fate: EVERYWHERE,
    note:
      "Claude from 5.5 on (Fable: 5.1) cannot be made to call a tool, which is refused; older ones do not think where they are " +
      "made to, and `x-loom-left-out` says `thinking`.",
  },
  {
    name: "At most one call an answer",
    askedBy: ["anthropic", "chat", "responses"],
    fate: EVERYWHERE,
    note: "Gemini has no switch: the model is asked in the instructions.",
  },
  {
    name: "Strict arguments",
    askedBy: ALL,
    fate: EVERYWHERE,
    note: "OpenAI's dialects take a schema whose objects are all closed and whose properties are all required, Anthropic Messages one whose objects are all closed, without bounds and references in circles, and neither takes `oneOf`, `allOf`, `not` and the like; for any other, and for such a schema of answers at OpenAI, `x-loom-left-out` says `strict schemas`. Gemini: for all tools or none.",
  },
  {
    name: "How much to think",
    askedBy: ALL,
    fate: EVERYWHERE,
    note:
      "As a level or as a bound, whichever the model takes; a level takes half of the answer's bound at most. Left out for " +
      "models that do not think, where `x-loom-left-out` says `thinking`, as it does where Claude would have less than 1,024 " +
      "tokens for it. Compatible servers that only have it on or off are told so, and `how much to think` is named. A client of Responses that asks for a summary alone asks for thinking that " +
      "it can see, for which Chat Completions has no word: what is seen there is the server's choice.",
  },
  {
    name: "No thinking",
    askedBy: ALL,
    fate: EVERYWHERE,
    note:
      "As little as possible where a model cannot be kept from it. A compatible server of which Loom does not know how it is " +
      "told is not, and `x-loom-left-out` says `thinking`.",
  },
  {
    name: "Thinking of earlier answers",
    askedBy: ALL,
    fate: fates({ anthropic: "left out", chat: "left out", responses: "left out", gemini: "left out" }),
    note:
      "Carried with its seal to the provider that sealed it, and to no other: `x-loom-left-out` names it then. Clients of " +
      "another dialect get it wrapped, those of Gemini on the call that it led to. Servers of Chat Completions and of " +
      "Responses that show what their models think get that back unsealed; clients of other dialects are given it with a " +
      "mark in the place of a seal, so that it goes nowhere else. What OpenRouter seals goes back to it in " +
      "`reasoning_details`. What a client of Chat Completions cannot keep, Loom remembers for it, by the id of the call " +
      "that came with it: the last 10,000 calls, in memory.",
  },
  {
    name: "Answers by a JSON schema",
    askedBy: ALL,
    fate: EVERYWHERE,
    note:
      "Anthropic Messages and Gemini have no place for the schema's name, which changes nothing and goes unsaid. Anthropic Messages has objects closed, an `allOf` " +
      "merged, and what Claude is not held to (bounds, `oneOf`, `not`...) in descriptions: `x-loom-left-out` says `parts of " +
      "schemas`. It refuses schemas that hold themselves, objects of any names, and an `allOf` that cannot be merged.",
  },
  { name: "Answers in any JSON", askedBy: ["chat", "responses", "gemini"], fate: fates({ anthropic: "refused" }) },
  {
    name: "Stop sequences",
    askedBy: ["anthropic", "chat", "gemini"],
    fate: fates({ responses: "refused" }),
    note:
      "OpenAI itself is asked in Chat Completions then, and takes 4 at most, and none for a model while it thinks; Gemini " +
      "takes 5. What is more is refused. Anthropic Messages refuses those of white space only.",
  },
  {
    name: "temperature, top_p",
    askedBy: ALL,
    fate: EVERYWHERE,
    note: "Left out where the model refuses them, as models that think do; of Claude's and OpenAI's, `x-loom-left-out` says so, and Claude's from 4.1 to 4.6 get no top_p beside a temperature. Anthropic Messages ends at 1, and `x-loom-left-out` says `temperature` where more was asked.",
  },
  {
    name: "top_k",
    askedBy: ["anthropic", "chat", "gemini"],
    fate: fates({ chat: "left out", responses: "left out" }),
    note: "Narrows the choice of words a little, and is named; compatible servers that know it get it.",
  },
  {
    name: "seed",
    askedBy: ["chat", "gemini"],
    fate: fates({ anthropic: "left out", responses: "left out" }),
    note: "No provider promises the same answer twice. Named where it is left out.",
  },
  {
    name: "Places to cache up to",
    askedBy: ["anthropic", "chat"],
    fate: fates({ chat: "left out", responses: "left out", gemini: "left out" }),
    note: "The others cache by themselves, and `x-loom-left-out` says `cache_control`. For a client that marks nothing, Loom marks for Anthropic Messages.",
  },
  {
    name: "User id",
    askedBy: ["anthropic", "chat", "responses"],
    fate: fates({ gemini: "left out" }),
    note: "Cut to the length that the provider takes, always in the same way. For Gemini, `x-loom-left-out` says `user`.",
  },
  {
    name: "Cache key",
    askedBy: ["chat", "responses"],
    fate: fates({ anthropic: "left out", gemini: "left out" }),
    note: "Only helps the provider to find its cache. Compatible servers get none, since it is OpenAI's own. Where it is left out, `x-loom-left-out` says `prompt_cache_key`.",
  },
];

/** What becomes of everything that a client of one dialect can ask of a model of another. */
export function carriedBetween(
  from: WireDialect,
  to: WireDialect,
): { readonly name: string; readonly fate: Fate; readonly note?: string }[] {
  return CARRIED.filter(({ askedBy }) => askedBy.includes(from)).map(({ name, fate, note }) => ({
    name,
    fate: fate === "own" ? (from === to ? "carried" : "refused") : fate[to],
    ...(note === undefined ? {} : { note }),
  }));
}

/** Carried to every dialect but these. */
function fates(others: Partial<Record<WireDialect, Fate>>): Readonly<Record<WireDialect, Fate>> {
  return { anthropic: "carried", chat: "carried", responses: "carried", gemini: "carried", ...others };
}
