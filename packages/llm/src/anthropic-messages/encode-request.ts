import type { JsonObject, LlmRequest, ToolDefinition } from "@loom/core";
import { brokenCallsLeftOut } from "../broken-call.ts";
import type { EncodedRequest } from "../codec.ts";
import { thinkingLeftOut } from "../earlier-thinking.ts";
import { refuseWithoutUser } from "../first-message.ts";
import { hintsLeftOut } from "../hints.ts";
import { asArray } from "../json-reader.ts";
import { instructionsLeftOut } from "../later-instructions.ts";
import { ownTools } from "../own-words.ts";
import { isPrefilled } from "../prefill.ts";
import { quote } from "../quote.ts";
import { refuse, writeRequest } from "../request-problem.ts";
import { strictnessLeftOut } from "../strict-schema.ts";
import { isBlank, textToWire } from "./block-to-wire.ts";
import { cacheToWire, isMarked } from "./cache-marker.ts";
import { encodeMessages, isOwnThinking, type WireMessage } from "./encode-messages.ts";
import { heldSchema, isWhollyHeld } from "./held-schema.ts";
import { mostTokensOf, traitsOf } from "./model-traits.ts";
import { settingsLeftOut, settingsToWire } from "./settings-to-wire.ts";
import { toolSchema } from "./tool-schema.ts";

/** The end of this request, and the end of the one before it, where its cache entry is found. */
const MARKED_USER_MESSAGES = 2;

/**
 * The body of `POST /v1/messages`: https://platform.claude.com/docs/en/api/messages
 *
 * A client that marks what to cache gets its own markers; for any other the ends of the system prompt, or else of the
 * tools, and of the newest two user messages are marked. The provider takes at most four.
 */
export function encodeRequest(request: LlmRequest, { stream }: { readonly stream: boolean }): EncodedRequest {
  return writeRequest(() => {
    refuseWithoutUser(request, "Anthropic Messages");
    const automatic = !isMarked(request);
    const hasSystem = !isBlank(request.system);
    const systemCache = automatic ? "5m" : request.systemCache;
    for (const [index, { inputSchema }] of request.tools.entries()) refuseOthers(inputSchema, `tools.${index}`);
    const tools = encodeTools(request, { marked: automatic && !hasSystem });
    const messages = encodeMessages(request.messages);
    if (messages.at(-1)?.role === "assistant") refusePrefill(request);
    if (automatic) markForCaching(messages);
    return {
      model: request.model,
      max_tokens: mostTokensOf(request),
      ...(hasSystem ? { system: [{ ...textToWire({ text: request.system }), ...cacheToWire(systemCache) }] } : {}),
      ...(tools.length === 0 ? {} : { tools }),
      messages,
      ...settingsToWire(request),
      ...(stream ? { stream } : {}),
    };
  }, [
    ...brokenCallsLeftOut(request.messages),
    ...instructionsLeftOut(request.messages),
    ...thinkingLeftOut(request.messages, isOwnThinking),
    ...settingsLeftOut(request),
    ...hintsLeftOut(request, ["user", "cache_control"]),
    // The schema of an answer is closed where it is open: without strictness there is none.
    ...strictnessLeftOut({ tools: request.tools }, isStrictTool),
    ...schemasLeftOut(request),
  ]);
}

function refusePrefill({ model, messages }: LlmRequest): void {
  if (traitsOf(model).prefill || !isPrefilled(messages)) return;
  const what = `is the beginning of an answer, and ${quote(model)} does not go on with one: end with what the user says`;
  refuse(`messages.${messages.length - 1}`, what);
}

function encodeTools({ tools, providerTools }: LlmRequest, { marked }: { readonly marked: boolean }): JsonObject[] {
  const encoded = [...tools.map(toolToWire), ...ownTools(providerTools, "anthropic")];
  const last = encoded.pop();
  return last === undefined ? [] : [...encoded, marked ? { ...last, ...cacheToWire("5m") } : last];
}

function toolToWire({ name, description, inputSchema, strict, cache }: ToolDefinition): JsonObject {
  return {
    name,
    ...(description === "" ? {} : { description }),
    input_schema: toolSchema(inputSchema).schema,
    ...(strict === undefined ? {} : { strict: strict && isStrictTool(inputSchema) }),
    ...cacheToWire(cache),
  };
}

function isStrictTool(inputSchema: JsonObject): boolean {
  return isWhollyHeld(toolSchema(inputSchema).schema);
}

function refuseOthers({ type }: JsonObject, path: string): void {
  if (type === undefined || type === "object" || asArray(type).includes("object")) return;
  refuse(path, "has a schema of something else than an object, and tools take objects only");
}

/** What stands in the descriptions of schemas only. */
function schemasLeftOut({ tools, output }: LlmRequest): string[] {
  const held = output?.type === "json_schema" ? heldSchema(output.schema) : undefined;
  const isLooser = (held?.ok === true && held.isLooser) || tools.some((tool) => toolSchema(tool.inputSchema).isLooser);
  return isLooser ? ["parts of schemas"] : [];
}

function markForCaching(messages: readonly WireMessage[]): void {
  const users = messages.filter((message) => message.role === "user").slice(-MARKED_USER_MESSAGES);
  for (const { content } of users) {
    const last = content.pop();
    if (last !== undefined) content.push({ ...last, ...cacheToWire("5m") });
  }
}
