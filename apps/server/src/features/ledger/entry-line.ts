import type { JsonObject } from "@loom/core";
import type { LedgerEntry } from "../../gateway-types.ts";

/** Longer texts come from clients and providers; the ledger keeps their beginning. */
const MAX_TEXT = 256;
const MAX_NODES = 64;
const MAX_DETAILS_BYTES = 4_096;

/** The entry with all that comes from outside cut to some 30 KB; the same one where nothing has to be. */
export function boundedEntry(entry: LedgerEntry): LedgerEntry {
  return isBounded(entry) ? entry : bounded(entry);
}

/** One line of the journal: the entry as JSON, with its newline. */
export function lineOf(entry: LedgerEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** The entry of a line without its newline; `undefined` for what is none. */
export function entryOf(line: string): LedgerEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isEntry(value) ? value : undefined;
}

/** Nearly all entries are, and making them anew costs as much as all the rest. */
function isBounded(entry: LedgerEntry): boolean {
  return (
    isShort(entry.id) &&
    isShort(entry.subject) &&
    isShort(entry.client) &&
    isShort(entry.upstream) &&
    isShort(entry.requestedModel) &&
    isShort(entry.model) &&
    isShort(entry.route) &&
    isShort(entry.session) &&
    isShort(entry.credentialId) &&
    isShort(entry.priceVersion) &&
    isShort(entry.errorCode) &&
    entry.details === undefined &&
    entry.nodes.length <= MAX_NODES &&
    entry.nodes.every(({ kind, id }) => isShort(kind) && isShort(id))
  );
}

function isShort(text: string | undefined): boolean {
  return text === undefined || (text.length <= MAX_TEXT && !text.includes("\0"));
}

function bounded(entry: LedgerEntry): LedgerEntry {
  const { details, session, credentialId, priceVersion, errorCode, ...rest } = entry;
  const kept = details === undefined ? undefined : boundedDetails(details);
  return {
    ...rest,
    id: clip(entry.id),
    subject: clip(entry.subject),
    nodes: entry.nodes.slice(0, MAX_NODES).map(({ kind, id }) => ({ kind: clip(kind), id: clip(id) })),
    client: clip(entry.client),
    upstream: clip(entry.upstream),
    requestedModel: clip(entry.requestedModel),
    model: clip(entry.model),
    route: clip(entry.route),
    ...(session === undefined ? {} : { session: clip(session) }),
    ...(credentialId === undefined ? {} : { credentialId: clip(credentialId) }),
    ...(priceVersion === undefined ? {} : { priceVersion: clip(priceVersion) }),
    ...(errorCode === undefined ? {} : { errorCode: clip(errorCode) }),
    ...(kept === undefined ? {} : { details: kept }),
  };
}

function clip(text: string): string {
  const short = text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text;
  // No engine but SQLite can keep it.
  return short.includes("\0") ? short.replaceAll("\0", "") : short;
}

function boundedDetails(details: JsonObject): JsonObject {
  return JSON.stringify(details).length > MAX_DETAILS_BYTES ? { leftOut: "too large" } : details;
}

/** Our own lines are whole or torn; this tells them from what else may be in a file of that name. */
function isEntry(value: unknown): value is LedgerEntry {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "at" in value &&
    typeof value.at === "number" &&
    "nodes" in value &&
    Array.isArray(value.nodes) &&
    "usage" in value &&
    typeof value.usage === "object" &&
    value.usage !== null
  );
}
