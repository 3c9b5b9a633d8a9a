import { type AuditQuery, type AuditRecord, api, auditCsvHeader, auditCsvLine } from "@loom/api";
import type { Database } from "../../kit/database.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import { decodeCursor, encodeCursor } from "../../kit/paging.ts";
import type { Resource } from "../../kit/policy.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import type { Subject } from "../../kit/subject.ts";
import { type AuditBatch, type AuditPlace, type AuditRange, auditBatch, type VisibleRows } from "./audit-query.ts";
import type { AuditService } from "./service.ts";

export type AuditRoutesOptions = {
  readonly audit: AuditService;
  readonly database: () => Promise<Database>;
  /** The id of an organization, by its id or slug. */
  readonly organizationOf: (idOrSlug: string) => Promise<string | undefined>;
  /** Brings events that others still hold; rejects where they cannot. */
  readonly gather: () => Promise<void>;
  /** What the policies let somebody see of a list. */
  readonly filter: ListFilter;
};

type Paging = { readonly limit: number; readonly cursor?: string | undefined };
type Format = { readonly format?: "jsonl" | "csv" | undefined };

/** Steps that one page takes at most before it is given as it is. */
const MAX_STEPS = 5;
const EXPORT_ROWS = 500;

export function auditRoutes({
  audit,
  database,
  organizationOf,
  gather,
  filter: listFilter,
}: AuditRoutesOptions): Route[] {
  const everything = { action: "read", resource: { type: "audit" } } as const;
  const ofOrganization = {
    action: "read",
    async resource({ org }: { readonly org: string }): Promise<Resource | undefined> {
      const organization = await organizationOf(org);
      return organization === undefined ? undefined : { type: "audit", organization };
    },
    hidden: true,
  } as const;

  const known = async (org: string): Promise<string> => {
    const organization = await organizationOf(org);
    if (organization === undefined) throw new ProblemError("not_found", "The organization was deleted at this moment.");
    return organization;
  };

  /** Where the events cannot be stored just now, what is stored is told. */
  const settle = async (): Promise<void> => {
    await gather().catch(() => undefined);
    await audit.settle().catch(() => undefined);
  };

  const page = async ({ limit, cursor, ...filter }: AuditQuery & Paging, visible?: VisibleRows) => {
    const start = cursor === undefined ? undefined : placeOf(cursor);
    await settle();
    const opened = await database();
    const events: AuditRecord[] = [];
    let behind: AuditPlace | undefined = start;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const batch = await batchOf(opened, { filter, visible, behind }, limit - events.length);
      events.push(...batch.records);
      behind = batch.next;
      if (behind === undefined || events.length >= limit) break;
    }
    return { events, nextCursor: behind === undefined ? null : encodeCursor([behind.atMs, behind.seq]) };
  };

  const whole = async ({ format = "jsonl", ...filter }: AuditQuery & Format, visible?: VisibleRows) => {
    await settle();
    return new Reply(exported(await database(), { filter, visible }, format), {
      headers: {
        "content-type": format === "csv" ? "text/csv; charset=utf-8; header=present" : "application/jsonl",
        "content-disposition": `attachment; filename="audit.${format}"`,
      },
    });
  };

  return [
    route(api.audit.list, everything, ({ subject, query }) => page(query, readableRows(listFilter, subject))),
    route(api.audit.export, everything, async ({ subject, query, audit: record }) => {
      await record({ event: "audit.exported", outcome: "success", details: definedOf(query) });
      return whole(query, readableRows(listFilter, subject));
    }),
    // What is said of the one organization holds for each of its rows.
    route(api.audit.listOfOrganization, ofOrganization, async ({ params, query }) =>
      page({ ...query, organization: await known(params.org) }),
    ),
    route(api.audit.exportOfOrganization, ofOrganization, async ({ params, query, audit: record }) => {
      const organization = await known(params.org);
      await record({ event: "audit.exported", outcome: "success", organization, details: definedOf(query) });
      return whole({ ...query, organization });
    }),
  ];
}

/** Of all rows, those that the policies let somebody read, an organization's own ones, too. */
export function readableRows(filter: ListFilter, subject: Subject): VisibleRows {
  return (where) =>
    filter(subject, "read", "audit", { id: where.ref("audit.id"), organization: where.ref("audit.organization") });
}

function batchOf(database: Database, range: AuditRange, limit: number): Promise<AuditBatch> {
  return auditBatch(database.tables(), range, limit);
}

/** Batch by batch: as much memory for a million rows as for a page. */
async function* exported(
  database: Database,
  range: Omit<AuditRange, "behind">,
  format: "jsonl" | "csv",
): AsyncGenerator<string> {
  const lineOf = format === "csv" ? auditCsvLine : (record: AuditRecord): string => `${JSON.stringify(record)}\n`;
  if (format === "csv") yield auditCsvHeader();
  let behind: AuditPlace | undefined;
  do {
    const batch = await batchOf(database, { ...range, behind }, EXPORT_ROWS);
    behind = batch.next;
    if (batch.records.length > 0) yield batch.records.map(lineOf).join("");
  } while (behind !== undefined);
}

function placeOf(cursor: string): AuditPlace {
  const [atMs, seq] = decodeCursor(cursor, ["number", "number"]);
  if (!Number.isSafeInteger(atMs) || !Number.isSafeInteger(seq)) {
    throw wrongFields([{ field: "cursor", message: "is none that this list has given" }]);
  }
  return { atMs: Number(atMs), seq: Number(seq) };
}

function definedOf(query: Readonly<Record<string, string | undefined>>) {
  return Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
