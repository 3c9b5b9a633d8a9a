import type { ThreadInfo } from "@loom/api";

/** A thread as one JSON document; an import takes it again. */
export type ThreadDocument = {
  readonly format: "loom-thread";
  readonly formatVersion: 1;
  readonly thread: ThreadInfo;
  readonly records: readonly unknown[];
  /** Long outputs by their SHA-256, as far as they are text. */
  readonly outputs: Readonly<Record<string, string>>;
};

/** The records go into it as they are. */
export function threadJson(thread: ThreadInfo, records: readonly string[], outputs: ThreadDocument["outputs"]): string {
  const head = JSON.stringify({ format: "loom-thread", formatVersion: 1, thread } satisfies Partial<ThreadDocument>);
  return `${head.slice(0, -1)},"records":[\n${records.join(",\n")}\n],"outputs":${JSON.stringify(outputs)}}\n`;
}
