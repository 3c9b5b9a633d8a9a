import { AUDIT_SEVERITIES } from "../../../kit/audit-events.ts";
import type { AuditEntry } from "../audit-entry.ts";
import { cefOf } from "./cef.ts";
import { sinkForm } from "./sink-form.ts";

export type SyslogFormat = "json" | "cef";

export type SyslogSender = {
  /** 0 to 23. */
  readonly facility: number;
  readonly format: SyslogFormat;
  readonly host: string;
  readonly app: string;
  readonly version: string;
  readonly processId: number;
};

/** `debug` is 7, `critical` is 2. */
const LEAST_GRAVE = 7;
const BOM = "\ufeff";

/** RFC 5424: one event, without the framing of the transport. Texts are UTF-8, said so by a BOM (6.4). */
export function syslogMessage(entry: AuditEntry, sender: SyslogSender): Buffer {
  const severity = LEAST_GRAVE - AUDIT_SEVERITIES.indexOf(entry.severity);
  const header = [
    `<${sender.facility * 8 + severity}>1`,
    new Date(entry.at).toISOString(),
    word(sender.host, 255),
    word(sender.app, 48),
    String(sender.processId),
    word(entry.event, 32),
    "-",
  ];
  const text = sender.format === "cef" ? cefOf(entry, sender.version) : JSON.stringify(sinkForm(entry));
  return Buffer.from(`${header.join(" ")} ${BOM}${text}`);
}

/** PRINTUSASCII, or the NILVALUE. */
function word(text: string, max: number): string {
  const printable = text.replace(/[^\x21-\x7e]/g, "_").slice(0, max);
  return printable === "" ? "-" : printable;
}
