import type { TokenInfo } from "@loom/api";
import { commandAudit } from "./command-audit.ts";
import { commandDatabase, commandKit, onCommandDatabase } from "./command-database.ts";
import { budgets } from "./features/budgets/index.ts";
import { tokens } from "./features/tokens/index.ts";
import { TokenError, type TokenService } from "./features/tokens/service.ts";
import { describeLimits, usd } from "./limit-words.ts";
import { parseTokenCommand, TOKEN_HELP, type TokenCommand } from "./token-command-line.ts";
import { UsageError } from "./usage-error.ts";

export type TokenCommandOutput = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
};

/**
 * `loom-server token …`: works on the database itself, whether a server runs or not.
 * @throws UsageError, DatabaseError
 */
export async function runTokenCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: TokenCommandOutput,
): Promise<void> {
  const command = parseTokenCommand(args, env, Date.now());
  if (command.type === "help") {
    output.print(TOKEN_HELP);
    return;
  }
  const place = commandDatabase(command.dataDirectory, env, { mayMake: command.type === "create", warn: output.say });
  await onCommandDatabase(place, async (database) => {
    const kit = commandKit(database);
    const limits = budgets.build(kit, { allowUnpriced: false }).services;
    await limits.load();
    const spent = (id: string): number => limits.get("token", id)?.spent?.totalMicroUsd ?? 0;
    const record = commandAudit(command.dataDirectory, env, { warn: output.say });
    await run(command, tokens.build(kit, { limits }).services, spent, output, (event, { id, name }) =>
      record(database, { event, outcome: "success", target: { type: "token", id, name } }),
    );
  }).catch((error: unknown) => {
    throw error instanceof TokenError ? new UsageError(error.message) : error;
  });
}

async function run(
  command: Exclude<TokenCommand, { type: "help" }>,
  service: TokenService,
  spent: (id: string) => number,
  { print, say }: TokenCommandOutput,
  record: (event: "token.created" | "token.revoked", token: TokenInfo) => Promise<void>,
): Promise<void> {
  switch (command.type) {
    case "create": {
      const { token, info } = await service.create(command.wish);
      await record("token.created", info);
      say(`The token ${info.name} (${info.id}) follows; it cannot be read again.`);
      print(`${token}\n`);
      return;
    }
    case "list":
      print(table(await service.list()));
      return;
    case "show": {
      const info = await service.show(command.token);
      print(description(info, spent(info.id)));
      return;
    }
    case "revoke": {
      const { info, isNew } = await service.revoke(command.token);
      if (isNew) await record("token.revoked", info);
      say(`The token ${info.name} is void.`);
    }
  }
}

function table(infos: readonly TokenInfo[]): string {
  const rows = [
    ["NAME", "STATE", "SCOPES", "LAST USED", "LIMITS"],
    ...infos.map((info) => [
      info.name,
      stateOf(info),
      info.scopes.join(","),
      info.lastUsedAt ?? "never",
      describeLimits(info.limits),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`).join("");
}

function description(info: TokenInfo, spentMicroUsd: number): string {
  const lines = [
    ["name", info.name],
    ["id", info.id],
    ["state", stateOf(info)],
    ["scopes", info.scopes.join(", ")],
    ["created", info.createdAt],
    ["last used", info.lastUsedAt ?? "never"],
    ["limits", describeLimits(info.limits)],
    ["spent", usd(spentMicroUsd)],
  ] as const;
  return lines.map(([label, value]) => `${label.padEnd(10)} ${value}\n`).join("");
}

function stateOf({ revokedAt, expiresAt }: TokenInfo): string {
  if (revokedAt !== null) return `revoked ${revokedAt}`;
  if (expiresAt === null) return "valid";
  return Date.parse(expiresAt) <= Date.now() ? `expired ${expiresAt}` : `valid until ${expiresAt}`;
}
