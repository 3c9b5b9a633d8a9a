import { join } from "node:path";
import type { AuditRecord } from "@loom/api";
import { AUDIT_HELP, type AuditCommand, parseAuditCommand } from "./audit-command-line.ts";
import { commandAudit } from "./command-audit.ts";
import { commandDatabase, onCommandDatabase } from "./command-database.ts";
import { takeAuditConfig } from "./features/audit/audit-config.ts";
import { type AuditPlace, auditBatch } from "./features/audit/audit-query.ts";
import { readChainEnd } from "./features/audit/chain-end-file.ts";
import { sealChain } from "./features/audit/chain-store.ts";
import { CHAIN_END_FILE } from "./features/audit/index.ts";
import { sealFor } from "./features/audit/seal-key.ts";
import { type ChainReport, verifyChain } from "./features/audit/verify.ts";
import type { Database } from "./kit/database.ts";
import { UsageError } from "./usage-error.ts";

export type AuditCommandOutput = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
};

const LIST_ROWS = 500;

/** `loom-server audit …`. Gives the exit code: 1 where the chain is broken. @throws UsageError, ConfigError, DatabaseError */
export async function runAuditCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: AuditCommandOutput,
): Promise<number> {
  const command = parseAuditCommand(args, env);
  if (command.type === "help") {
    output.print(AUDIT_HELP);
    return 0;
  }
  const { dataDirectory } = command;
  const place = commandDatabase(dataDirectory, env, { mayMake: false, warn: output.say });
  const { key } = takeAuditConfig({ ...env }, { warn: output.say });
  return onCommandDatabase(place, async (database) => {
    switch (command.type) {
      case "list":
        await list(database, command, output);
        return 0;
      case "verify": {
        const seal = sealFor(database, { key, directory: dataDirectory, mayMake: false });
        const kept = readChainEnd(join(dataDirectory, CHAIN_END_FILE));
        const remembered = [
          ...(kept === undefined ? [] : [{ ...kept, by: "the data directory" }]),
          ...(command.end === undefined ? [] : [{ ...command.end, by: "--end" }]),
        ];
        return report(await verifyChain(database, { seal, remembered }), output);
      }
      case "seal": {
        const seal = sealFor(database, { key, directory: dataDirectory, mayMake: true });
        if (seal === undefined) {
          throw new UsageError("There is no key to sign with: give one in LOOM_SERVER_AUDIT_KEY_FILE.");
        }
        await sealChain(database, seal);
        await commandAudit(dataDirectory, env)(database, { event: "audit.sealed", outcome: "success" });
        output.say(`The ends of the chain are signed with the key ${seal.keyId}.`);
        return 0;
      }
    }
  });
}

function report(chain: ChainReport, { print, say }: AuditCommandOutput): number {
  for (const problem of chain.problems) print(`${problem}\n`);
  if (chain.moreProblems > 0) print(`... and ${chain.moreProblems} more.\n`);
  const { rows, firstSeq, head } = chain;
  const range = rows === 0 ? "no rows" : `${rows} row${rows === 1 ? "" : "s"}, from ${firstSeq} to ${head.seq}`;
  if (chain.problems.length > 0) {
    say(`The audit log is broken (${range}).`);
    return 1;
  }
  const signed = chain.sealed
    ? "its ends are signed"
    : "its ends are not signed: whoever can write to the database could write it anew";
  say(`The audit log is whole (${range}); ${rows === 0 ? "there is nothing to sign" : signed}.`);
  print(`${head.seq}:${head.hash}\n`);
  return 0;
}

async function list(
  database: Database,
  { filter, limit, json }: Extract<AuditCommand, { type: "list" }>,
  { print }: AuditCommandOutput,
): Promise<void> {
  let left = limit;
  let behind: AuditPlace | undefined;
  do {
    const batch = await auditBatch(database.tables(), { filter, behind }, Math.min(left, LIST_ROWS));
    for (const record of batch.records) print(json ? `${JSON.stringify(record)}\n` : lineOf(record));
    left -= batch.records.length;
    behind = batch.next;
  } while (behind !== undefined && left > 0);
}

function lineOf({ at, event, outcome, actor, target, address }: AuditRecord): string {
  const what = target === null ? "" : ` ${target.type}/${target.name ?? target.id}`;
  const how = outcome === "success" ? "" : ` (${outcome})`;
  return `${at}  ${event}${how}  ${actor.name}${what}${address === null ? "" : `  ${address}`}\n`;
}
