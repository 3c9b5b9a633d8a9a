import type { JsonMembers } from "./json/members.ts";

/** Bytes from `start` to `end` give way to `text`. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string };

/** The bytes with the edits done, which may come in any order and do not overlap; everything else is what it was. */
export function applyEdits(bytes: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return bytes;
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(at, start), Buffer.from(text, "utf8"));
    at = end;
  }
  parts.push(bytes.subarray(at));
  return Buffer.concat(parts);
}

/** Gives a top-level field this value, whether it was there or not. */
export function setMember(top: JsonMembers, key: string, value: unknown): Edit {
  const text = JSON.stringify(value);
  const member = top.members.get(key);
  if (member !== undefined) return { start: member.start, end: member.end, text };
  const comma = top.isEmpty ? "" : ",";
  return { start: top.open, end: top.open, text: `${JSON.stringify(key)}:${text}${comma}` };
}

/** Puts another field in the place of `key`, or in front of all where there is no `key`. */
export function replaceMember(
  top: JsonMembers,
  key: string,
  by: { readonly key: string; readonly value: unknown },
): Edit {
  const member = top.members.get(key);
  if (member === undefined) return setMember(top, by.key, by.value);
  return { start: member.keyStart, end: member.end, text: `${JSON.stringify(by.key)}:${JSON.stringify(by.value)}` };
}
