import type { SettingValue, WorkspaceRule } from "./schema.ts";

/**
 * Sections that a workspace file may not hold even before Loom knows them: each leads to another address, to a file
 * outside, or to something being run. Whoever writes the repository would otherwise reach the person's keys.
 */
const REFUSED_SECTIONS: { readonly [section: string]: string } = {
  server: "it would send the workspace and the token to another server",
  providers: "it would send the conversation, and a key with it, to another address",
  telemetry: "what leaves this machine is the person's choice",
  hooks: "it would run a command that the person has not seen",
  mcp: "it would run a command that the person has not seen",
  commands: "it would run a command that the person has not seen",
  env: "it would change the variables of what the agent runs",
  log: "it would have a file written outside the workspace",
};

type Wish = { readonly rule: WorkspaceRule; readonly value: SettingValue; readonly below: SettingValue | undefined };

/**
 * The sentence that refuses what a workspace file asks for, or `undefined` where it may. `wish` is absent for a key that
 * Loom does not know: then only the sections above are refused, and the caller says that the key is unknown.
 */
export function refusalOf(key: string, wish?: Wish): string | undefined {
  const [section = ""] = key.split(".");
  if (wish === undefined || wish.rule === "refused") {
    const reason = REFUSED_SECTIONS[section];
    if (reason === undefined) return undefined;
    return `a workspace cannot set ${key}, because ${reason}; set it in your own configuration.`;
  }
  if (wish.rule === "allowed" || narrows(wish.value, wish.below)) return undefined;
  return `a workspace can only narrow ${key} (${shown(wish.below)} here), not widen it; widen it in your own configuration.`;
}

function narrows(value: SettingValue, below: SettingValue | undefined): boolean {
  if (typeof value === "number") return typeof below === "number" && value <= below;
  if (typeof value === "boolean") return value === below || value === false;
  if (typeof value === "string") return value === below;
  if (!Array.isArray(below)) return false;
  return below.includes("*") || value.every((item) => below.includes(item));
}

function shown(value: SettingValue | undefined): string {
  return typeof value === "object" ? value.join(", ") : String(value);
}
