import { isIPv6 } from "node:net";
import { AUDIT_EVENTS, type AuditSeverity } from "../../../kit/audit-events.ts";
import type { AuditEntry } from "../audit-entry.ts";

const SEVERITIES: Readonly<Record<AuditSeverity, number>> = {
  debug: 0,
  info: 1,
  notice: 3,
  warning: 5,
  error: 7,
  critical: 10,
};

/** ArcSight Common Event Format, version 0: seven fields of a header, then `key=value` pairs. */
export function cefOf(entry: AuditEntry, version: string): string {
  const meaning = Object.entries(AUDIT_EVENTS).find(([name]) => name === entry.event)?.[1][1] ?? entry.event;
  const header = ["CEF:0", "Loom", "loom-server", version, entry.event, meaning, String(SEVERITIES[entry.severity])];
  const [prefix = "", ...fields] = header;
  const extension = Object.entries(extensionOf(entry)).flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [`${key}=${escapeValue(value)}`],
  );
  return [prefix, ...fields.map(escapeHeader), extension.join(" ")].join("|");
}

function extensionOf(entry: AuditEntry): Readonly<Record<string, string | undefined>> {
  const { actor, target, address } = entry;
  const isV6 = address !== undefined && isIPv6(address);
  return {
    rt: String(entry.at),
    externalId: entry.id,
    outcome: entry.outcome,
    suid: actor.id,
    suser: actor.name,
    spriv: actor.type,
    ...(isV6 ? { c6a2Label: "Source IPv6 Address", c6a2: address } : { src: address }),
    requestClientApplication: entry.userAgent,
    ...labelled(1, "target", target && `${target.type}/${target.id}`),
    ...labelled(2, "organization", entry.organization),
    ...labelled(3, "policy", entry.policy),
    ...labelled(4, "requestId", entry.requestId),
    ...labelled(5, "impersonator", actor.impersonator?.id),
    ...labelled(6, "place", entry.place),
    msg: factsOf(entry),
  };
}

function labelled(number: number, label: string, value: string | undefined) {
  return value === undefined ? {} : { [`cs${number}Label`]: label, [`cs${number}`]: value };
}

function factsOf({ before, after, details }: AuditEntry): string | undefined {
  if (before === undefined && after === undefined && details === undefined) return undefined;
  return JSON.stringify({ before, after, details });
}

function escapeHeader(text: string): string {
  return text.replace(/[\\|]/g, "\\$&").replace(/[\r\n]+/g, " ");
}

function escapeValue(text: string): string {
  return text.replace(/[\\=]/g, "\\$&").replace(/\r/g, "\\r").replace(/\n/g, "\\n");
}
