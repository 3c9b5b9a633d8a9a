import type { ThreadRow } from "./thread-row.ts";

/** A place in a thread: behind `version` records of what it had after so many replacements. */
export type Place = { readonly generation: number; readonly version: number };

/** As the id of an event: a version alone says nothing after the thread was replaced. */
export function eventIdOf({ generation, version }: Place): string {
  return `${generation}.${version}`;
}

export type GoingOn = Place & {
  /** What the client has is not the beginning of the thread any more: it begins again. */
  readonly isReplaced: boolean;
};

/**
 * Where a client goes on by its `Last-Event-ID` (HTML, 9.2.4), else behind `after`, else at the end. A version alone, which
 * clients of earlier versions of Loom send, is taken as one of the thread as it is now. More than there is has who followed
 * a server that was set back since.
 */
export function goOn(
  { generation, version }: Pick<ThreadRow, "generation" | "version">,
  lastEventId: string | string[] | undefined,
  after: number | undefined,
): GoingOn {
  const known = placeIn(lastEventId) ?? { version: after ?? version };
  const isReplaced = known.version > version || (known.generation ?? generation) !== generation;
  return { generation, version: isReplaced ? 0 : known.version, isReplaced };
}

function placeIn(value: string | string[] | undefined): (Partial<Place> & Pick<Place, "version">) | undefined {
  const [, generation, version] = /^(?:(\d{1,15})\.)?(\d{1,15})$/.exec(typeof value === "string" ? value : "") ?? [];
  if (version === undefined) return undefined;
  return { version: Number(version), ...(generation === undefined ? {} : { generation: Number(generation) }) };
}
