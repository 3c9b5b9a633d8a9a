import { readFile } from "node:fs/promises";
import { api, type RouteDefinition, type RouteExplanation, type RouteInfo, type RouteList } from "@loom/api";
import { parseRouteCommand, ROUTE_HELP, type RouteCommand } from "./route-command-line.ts";
import { openRouteDesk, type RouteDesk } from "./route-desk.ts";
import { UsageError } from "./usage-error.ts";

export type RouteCommandOutput = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
};

/**
 * `loom-server route …`: works on the database itself, whether a server runs or not, or on a server that runs.
 * @throws UsageError, ConfigError, DatabaseError
 */
export async function runRouteCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: RouteCommandOutput,
): Promise<void> {
  const command = parseRouteCommand(args, env);
  if (command.type === "help") {
    output.print(ROUTE_HELP);
    return;
  }
  const desk = await openRouteDesk(command.place, env, { mayMake: command.type === "set" });
  try {
    await run(command, desk, output);
  } finally {
    await desk.close();
  }
}

async function run(
  command: Exclude<RouteCommand, { type: "help" }>,
  desk: RouteDesk,
  { print, say }: RouteCommandOutput,
): Promise<void> {
  switch (command.type) {
    case "list": {
      const list = await desk.list();
      if (list.fileProblem !== null) say(list.fileProblem);
      print(tableOf(list));
      if (desk.isLive) for (const { problem } of list.routes) if (problem !== null) say(problem);
      return;
    }
    case "set": {
      const info = await desk.put(command.name, await checked(command.definition), command);
      say(`The route ${info.name} is at version ${info.version ?? 0}.`);
      if (info.problem !== null) say(desk.isLive ? info.problem : `${HERE}${info.problem} ${ASK}`);
      return;
    }
    case "delete":
      say(`The route ${(await desk.remove(command.name, command)).name} is taken away.`);
      return;
    case "explain": {
      const explanation = await desk.explain(command.question);
      print(described(explanation, desk));
    }
  }
}

async function checked(definition: RouteDefinition | { readonly file: string }): Promise<RouteDefinition> {
  const value = "file" in definition ? await readJson(definition.file) : definition;
  const { body } = await api.routes.put.schemas();
  const parsed = body.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(
    `The route is wrong at ${issue?.path.join(".") || "its top"}: ${issue?.message ?? "it does not fit"}.`,
  );
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`The file ${file} cannot be read (${error.code}).`);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`The file ${file} is not valid JSON.`);
  }
}

function tableOf({ routes }: RouteList): string {
  return columns([
    ["NAME", "FROM", "VERSION", "LEADS TO"],
    ...routes.map((route) => [
      route.name,
      route.active ? route.source : `${route.source} (hidden)`,
      String(route.version ?? "-"),
      leadsTo(route),
    ]),
  ]);
}

function leadsTo({ tiers, variants = [], timeouts }: RouteInfo): string {
  const [first = "nothing", ...rest] = tiers.map((tier) =>
    tier.map(({ target, weight }) => (weight === undefined ? target : `${target}=${weight}`)).join(","),
  );
  const more = [
    ...(variants.length === 0 ? [] : [`${variants.length} variants`]),
    ...Object.entries(timeouts ?? {}).map(([kind, seconds]) => `${kind} ${seconds} s`),
  ];
  return [[first, ...rest].join(" else "), ...more].join("; ");
}

function described({ model, route, steps, problem }: RouteExplanation, { isLive }: RouteDesk): string {
  const head = route === null ? `No route is for ${model}: its name decides.` : `The route ${route} is for ${model}.`;
  const rows = steps.map(({ upstream, model: name, reason, used, note, breaker, opensInMs }, index) => [
    `${index + 1}.`,
    `${upstream}/${name}`,
    used ? "asked" : "skipped",
    isLive ? breakerText(breaker, opensInMs) : "breaker unknown",
    note === null ? reason : `${reason}; ${note}`,
  ]);
  const found = problem === null ? "" : `${isLive ? "" : HERE}${problem}\n`;
  return `${head}\n${columns(rows)}${found}${isLive ? "" : `${ASK}\n`}`;
}

const HERE = "Judged by this shell's environment: ";
const ASK = "The server that runs knows its own providers and circuit breakers: ask it with --server URL.";

function breakerText(breaker: string, opensInMs: number | null): string {
  if (breaker === "closed") return "breaker closed";
  const wait = opensInMs === null || opensInMs === 0 ? "" : ` for ${(opensInMs / 1000).toFixed(1)} s`;
  return `breaker ${breaker.replace("_", " ")}${wait}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const count = Math.max(0, ...rows.map((row) => row.length - 1));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`).join("");
}
