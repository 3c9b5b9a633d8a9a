import type { AuditPage, AuditQuery, AuditRecord } from "@loom/api";
import { api, type JsonClient } from "@loom/api/json-client";
import type { Invocation } from "../command-line/specification.ts";
import { pastTime } from "../command-line/time.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { plainTable } from "../output/plain-table.ts";
import { withServer } from "../people-server.ts";
import { textOf } from "../settings.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 10_000;
const PAGE = 100;

/** `loom audit list`. */
export function list(invocation: Invocation): Promise<number> {
  const limit = limitOf(textOf(invocation, "--limit"));
  const filter = filterOf(invocation);
  return withServer(invocation, async (server) => {
    const events: AuditRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await pageOf(server, textOf(invocation, "--org"), {
        ...filter,
        cursor,
        limit: Math.min(PAGE, limit - events.length),
      });
      events.push(...page.events);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && events.length < limit);
    process.stdout.write(
      invocation.flags.has("--json")
        ? events.map((event) => `${JSON.stringify(event)}\n`).join("")
        : plainTable(["TIME", "EVENT", "OUTCOME", "ACTOR", "TARGET", "ADDRESS"], events.map(rowOf), {
            none: "There are no such events.",
          }),
    );
    return exitCodeOf("ok");
  });
}

/** `loom audit export`: as it comes, however long it is. */
export function exportAll(invocation: Invocation): Promise<number> {
  const query = { ...filterOf(invocation), format: invocation.flags.has("--csv") ? "csv" : "jsonl" };
  const org = textOf(invocation, "--org");
  return withServer(invocation, async (server) => {
    const pieces =
      org === undefined
        ? server.read(api.audit.export, { query })
        : server.read(api.audit.exportOfOrganization, { params: { org }, query });
    for await (const piece of pieces) {
      if (!process.stdout.write(piece)) await new Promise((resolve) => process.stdout.once("drain", resolve));
    }
    return exitCodeOf("ok");
  });
}

type Page = AuditQuery & { readonly cursor: string | undefined; readonly limit: number };

function pageOf(server: JsonClient, org: string | undefined, query: Page): Promise<AuditPage> {
  return org === undefined
    ? server.ask(api.audit.list, { query })
    : server.ask(api.audit.listOfOrganization, { params: { org }, query });
}

function filterOf(invocation: Invocation): AuditQuery {
  const now = Date.now();
  const time = (flag: string): string | undefined => {
    const text = textOf(invocation, flag);
    return text === undefined ? undefined : pastTime(flag, text, now);
  };
  return {
    actor: textOf(invocation, "--actor"),
    impersonator: textOf(invocation, "--impersonator"),
    family: textOf(invocation, "--family"),
    event: textOf(invocation, "--event"),
    target: textOf(invocation, "--target"),
    address: textOf(invocation, "--address"),
    outcome: textOf(invocation, "--outcome"),
    from: time("--since"),
    to: time("--until"),
  };
}

function rowOf({ at, event, outcome, actor, impersonator, target, address }: AuditRecord): string[] {
  return [
    at,
    event,
    outcome,
    impersonator === null ? actor.name : `${actor.name} (by ${impersonator.name})`,
    target === null ? "" : `${target.type}/${target.name ?? target.id}`,
    address ?? "",
  ];
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new CliError("usage", `--limit must be a whole number from 1 to ${MAX_LIMIT}; loom audit export has no limit.`);
}
