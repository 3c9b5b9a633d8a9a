import type { Budget } from "@loom/api";
import { BUDGET_HELP, type BudgetCommand, type LimitedNode, parseBudgetCommand } from "./budget-command-line.ts";
import { type CommandAudit, commandAudit } from "./command-audit.ts";
import { commandDatabase, commandKit, onCommandDatabase } from "./command-database.ts";
import { budgets } from "./features/budgets/index.ts";
import type { BudgetService } from "./features/budgets/service.ts";
import { tokens } from "./features/tokens/index.ts";
import type { Database } from "./kit/database.ts";
import { isPattern } from "./kit/name-pattern.ts";
import { describeLimits, usd } from "./limit-words.ts";
import { UsageError } from "./usage-error.ts";

export type BudgetCommandOutput = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
};

/**
 * `loom-server budget …`: works on the database itself, whether a server runs or not.
 * @throws UsageError, ConfigError, DatabaseError
 */
export async function runBudgetCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: BudgetCommandOutput,
): Promise<void> {
  const command = parseBudgetCommand(args, env);
  if (command.type === "help") {
    output.print(BUDGET_HELP);
    return;
  }
  const place = commandDatabase(command.dataDirectory, env, { mayMake: command.type === "set", warn: output.say });
  await onCommandDatabase(place, async (database) => {
    const kit = commandKit(database);
    const service = budgets.build(kit, { allowUnpriced: false }).services;
    await service.load();
    const { idOf } = tokens.build(kit, { limits: service }).services;
    const tokenIdOf = async (name: string) => (name === "owner" ? name : await idOf(name));
    const audit = commandAudit(command.dataDirectory, env, { warn: output.say });
    await run(command, { service, database, audit, tokenIdOf }, output);
  });
}

type Means = {
  readonly service: BudgetService;
  readonly database: Database;
  readonly audit: CommandAudit;
  readonly tokenIdOf: (name: string) => Promise<string | undefined>;
};

async function run(
  command: Exclude<BudgetCommand, { type: "help" }>,
  { service, database, audit, tokenIdOf }: Means,
  { print, say }: BudgetCommandOutput,
): Promise<void> {
  if (command.type === "list") {
    print(table(service.list()));
    return;
  }
  const { kind, id: name } = command.node;
  const known = kind !== "token" || isPattern(name) ? name : await tokenIdOf(name);
  if (known === undefined && command.type === "set") {
    throw new UsageError(`There is no token ${JSON.stringify(name)}: give the id or the name of one, or a pattern.`);
  }
  const node = { kind, id: known ?? name };
  const target = { type: "budget", id: nameOf(node) } as const;
  const before = service.get(node.kind, node.id);
  switch (command.type) {
    case "show":
      print(description(before ?? noLimits(command.node)));
      return;
    case "set": {
      const { limits } = await service.put(node.kind, node.id, command.limits);
      const was = before === undefined ? {} : { before: before.limits };
      await audit(database, { event: "budget.changed", outcome: "success", target, ...was, after: limits });
      say(`${nameOf(node)} has these limits now: ${describeLimits(limits)}.`);
      return;
    }
    case "remove": {
      const { limits } = (await service.remove(node.kind, node.id)) ?? noLimits(command.node);
      await audit(database, { event: "budget.removed", outcome: "success", target, before: limits });
      say(`${nameOf(node)} has no limits any more.`);
    }
  }
}

function noLimits(node: LimitedNode): never {
  throw new UsageError(`There are no limits on ${nameOf(node)}; loom-server budget list shows what is limited.`);
}

function nameOf({ kind, id }: LimitedNode): string {
  return `${kind}/${id}`;
}

function table(all: readonly Budget[]): string {
  const rows = [
    ["NODE", "NAME", "SPENT IN TOTAL", "LIMITS"],
    ...all.map((budget) => [
      nameOf(budget),
      budget.label ?? "-",
      budget.spent === null ? "-" : usd(budget.spent.totalMicroUsd),
      describeLimits(budget.limits),
    ]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`).join("");
}

function description(budget: Budget): string {
  const { spent } = budget;
  const lines = [
    ["node", nameOf(budget)],
    ["name", budget.label ?? "-"],
    ["limits", describeLimits(budget.limits)],
    ...(spent === null
      ? []
      : ([
          ["today", usd(spent.dayMicroUsd)],
          ["this month", usd(spent.monthMicroUsd)],
          ["in total", usd(spent.totalMicroUsd)],
        ] as const)),
  ] as const;
  return lines.map(([label, value]) => `${label.padEnd(10)} ${value}\n`).join("");
}
