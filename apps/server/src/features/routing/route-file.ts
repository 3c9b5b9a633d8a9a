import { stat } from "node:fs/promises";
import { api, type RouteDefinition } from "@loom/api";
import { ConfigError } from "@loom/config";
import { readTomlFile, type TomlFile } from "@loom/config/toml-file";
import type { NamedRoute, RouteFault } from "./route-table.ts";

/** The routes of a file, as they stand in it. */
export type RouteFile = {
  readonly routes: readonly NamedRoute[];
  /** A fault of one of them, with where it stands. */
  problem(fault: RouteFault): string;
};

/**
 * Reads `[routes]` of a TOML file: `name = [[targets of the first tier], [of the second], …]`, or a table with `tiers`,
 * `timeouts` and `variants`. A target is `"provider/model"`, an alias, or `{ target = …, weight = … }`.
 * @throws ConfigError with file, line and key.
 */
export async function readRouteFile(path: string): Promise<RouteFile> {
  const file = await readTomlFile(path);
  if (file === undefined) {
    throw new ConfigError(`There is no file ${path}: make it, or correct LOOM_SERVER_ROUTES_FILE.`);
  }
  const { routes = {}, ...others } = file.table;
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw wrong(path, file, stranger, "nobody knows this key; routes stand under [routes]");
  if (!isTable(routes)) throw wrong(path, file, "routes", "has to be a table");
  const { body } = await api.routes.put.schemas();
  const read = Object.entries(routes).map(([name, value]): NamedRoute => {
    const parsed = body.safeParse(isTable(value) ? spelledOut(value) : { tiers: tiersOf(value) });
    if (parsed.success) return { name, definition: parsed.data satisfies RouteDefinition };
    const [issue] = parsed.error.issues;
    const keys = issue?.path ?? [];
    const shown = isTable(value) ? keys : keys.slice(1);
    throw wrong(path, file, `routes.${name}`, issue?.message ?? "does not fit", shown);
  });
  return {
    routes: read,
    problem: ({ name, message }) => `${path}:${file.lineOf(`routes.${name}`)}: routes.${name}: ${message}.`,
  };
}

/** Something that is another whenever the file is; `undefined` where there is none. */
export async function stampOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`;
}

function spelledOut(table: Readonly<Record<string, unknown>>): unknown {
  const { tiers = [], variants } = table;
  if (variants === undefined) return { ...table, tiers: tiersOf(tiers) };
  const each = Array.isArray(variants) ? variants : [variants];
  const full = each.map((variant: unknown) =>
    isTable(variant) ? { ...variant, tiers: tiersOf(variant.tiers) } : variant,
  );
  return { ...table, tiers: tiersOf(tiers), variants: full };
}

function tiersOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((tier: unknown) =>
    Array.isArray(tier) ? tier.map((target: unknown) => (typeof target === "string" ? { target } : target)) : tier,
  );
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(
  path: string,
  file: TomlFile,
  key: string,
  message: string,
  below: readonly PropertyKey[] = [],
): ConfigError {
  let [at, shown] = [key, key];
  for (const part of below) {
    if (typeof part === "number") shown += `[${part}]`;
    else {
      shown += `.${String(part)}`;
      at = `${at}.${String(part)}`;
    }
  }
  return new ConfigError(`${path}:${file.lineOf(at)}: ${shown}: ${message.replace(/\.$/, "")}.`);
}
