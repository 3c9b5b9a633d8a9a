import { ConfigError, type Environment } from "@loom/config";
import { AUDIT_SEVERITIES, type AuditSeverity } from "../../kit/audit-events.ts";

export function readSeverity(env: Environment, variable: string): AuditSeverity {
  return readChoice(env, variable, AUDIT_SEVERITIES, "debug");
}

export function readChoice<Choice extends string>(
  env: Environment,
  variable: string,
  choices: readonly Choice[],
  fallback: Choice,
): Choice {
  const text = env[variable] || fallback;
  const choice = choices.find((each) => each === text);
  if (choice !== undefined) return choice;
  throw new ConfigError(`${variable} has to be one of: ${choices.join(", ")}.`);
}

export function readNumber(
  env: Environment,
  variable: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  const text = env[variable] ?? "";
  if (text === "") return undefined;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ConfigError(`${variable} has to be a whole number from ${least} to ${most}.`);
}
