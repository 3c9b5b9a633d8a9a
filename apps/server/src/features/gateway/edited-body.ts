import { applyEdits, type Edit, replaceMember, setMember } from "./body-edits.ts";
import { type JsonMembers, memberValue } from "./json/members.ts";

/** What has to differ between the client's body and the upstream's, byte for byte the same otherwise. */
export type BodyChanges = {
  /** The model as the upstream names it, where the client named another. */
  readonly model?: string | undefined;
  /** Vertex AI takes Anthropic's body without the model and with a version. */
  readonly vertex?: boolean;
  /** Chat Completions: ask for the token counts of a stream. */
  readonly usage?: boolean;
  /** What else has to go, below the top level. */
  readonly inside?: readonly Edit[];
};

const VERTEX_VERSION = "vertex-2023-10-16";

export function editedBody(top: JsonMembers, changes: BodyChanges): Buffer {
  const edits: Edit[] = [...(changes.inside ?? [])];
  if (changes.vertex === true) {
    const version = { key: "anthropic_version", value: VERTEX_VERSION };
    if (!top.members.has(version.key)) edits.push(replaceMember(top, "model", version));
  } else if (changes.model !== undefined) {
    edits.push(setMember(top, "model", changes.model));
  }
  if (changes.usage === true) edits.push(setMember(top, "stream_options", { ...options(top), include_usage: true }));
  return applyEdits(top.bytes, edits);
}

/** Whether the client asks for the token counts of its stream itself. */
export function asksForUsage(top: JsonMembers): boolean {
  return options(top).include_usage === true;
}

function options(top: JsonMembers): { readonly include_usage?: unknown } {
  const value = top.members.has("stream_options") ? memberValue(top, "stream_options") : undefined;
  return typeof value === "object" && value !== null ? value : {};
}
