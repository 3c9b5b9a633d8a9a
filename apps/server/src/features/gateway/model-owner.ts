import type { ServerConfig } from "../../config.ts";
import type { Dialect } from "../../gateway-types.ts";
import { isBuiltIn } from "../../provider-config.ts";

/**
 * Whose model a name is that says no provider: of whoever it is configured for, of those who sell models with such
 * names, or of the provider whose dialect is spoken. If there is but one provider, it has the names that are nobody's; a
 * server of one's own has all of them. `undefined`: nobody knows. A provider that is not set up is the only one that sells it.
 */
export function ownerOf(
  model: string,
  dialect: Dialect | undefined,
  { providers, defaultProvider }: ServerConfig,
): string | undefined {
  for (const name in providers) if (isConfigured(model, providers[name])) return name;
  const sellers = sellersOf(model);
  const seller = sellers.find((name) => providers[name] !== undefined);
  if (seller !== undefined) return seller;
  const isAlone = defaultProvider !== undefined && Object.keys(providers).length === 1;
  if (isAlone && providers[defaultProvider]?.isCompatible) return defaultProvider;
  const [first] = sellers;
  if (first !== undefined && isBuiltIn(first)) return first;
  if (isAlone) return defaultProvider;
  // Whoever speaks Loom's own dialect has asked for the default provider by that name.
  if (dialect === undefined || dialect === "loom") return defaultProvider;
  const speaker = SPEAKERS[dialect];
  return providers[speaker] === undefined ? undefined : speaker;
}

/** Gemini and its Chat Completions list models as `models/name`: the same model without that. */
export function withoutKind(model: string, providers: ServerConfig["providers"]): string {
  if (!model.startsWith(KIND) || providers.models !== undefined) return model;
  for (const name in providers) if (isConfigured(model, providers[name])) return model;
  return model.slice(KIND.length);
}

const KIND = "models/";

function isConfigured(model: string, provider: ServerConfig["providers"][string] | undefined): boolean {
  return provider !== undefined && (provider.model === model || provider.fastModel === model);
}

const SPEAKERS = { anthropic: "anthropic", chat: "openai", responses: "openai", gemini: "gemini" } as const;

const NOBODY: readonly string[] = [];

function sellersOf(model: string): readonly string[] {
  for (const [pattern, sellers] of SELLERS) if (pattern.test(model)) return sellers;
  return NOBODY;
}

/**
 * Names that say whose they are. Behind those that Loom knows by itself, those whom operators give their own names:
 * compatible servers. Open weights that many serve (`gpt-oss`, `llama`, `qwen`) are nobody's.
 */
const SELLERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^claude-/i, ["anthropic", "vertex"]],
  [/^(?:tunedModels\/|gemini-|gemma-\d|learnlm-|imagen-|veo-|(?:text-)?embedding-0)/i, ["gemini", "vertex"]],
  [
    /^(?:ft:|gpt-(?!oss)|chatgpt-|o\d|codex-|computer-use|text-(?:embedding|davinci|moderation)-|omni-moderation|whisper-|tts-|dall-e-|sora-|(?:ada|babbage|curie|davinci)(?:-\d+)?$)/i,
    ["openai"],
  ],
  [/^glm-/i, ["zai"]],
  [/^deepseek-/i, ["deepseek"]],
  [/^(?:kimi|moonshot)-/i, ["moonshot", "moonshotai"]],
  [/^grok-/i, ["xai", "x-ai"]],
  [/^(?:mistral|magistral|ministral|codestral|devstral|pixtral)-/i, ["mistral"]],
];
