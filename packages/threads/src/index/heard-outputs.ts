import { isOutputName } from "../output-store.ts";
import type { OutputSource } from "../stored-outputs.ts";

export type HeardOutputs = OutputSource & {
  /** By SHA-256: outputs that were asked for and could not be read: not here, damaged, or not to be opened now. */
  readonly unread: ReadonlySet<string>;
};

/** The same outputs, with what could not be read of them since. */
export function hearOutputs(outputs: OutputSource): HeardOutputs {
  const unread = new Set<string>();
  return {
    unread,
    read(reference, maxBytes) {
      const text = outputs.read(reference, maxBytes);
      // What stands in a file can be anything: what is no name is never there.
      if (text === undefined && isOutputName(reference.sha256)) unread.add(reference.sha256);
      return text;
    },
  };
}
