import { DocumentTap } from "./document-tap.ts";
import { StreamTap } from "./stream-tap.ts";
import type { TapKind } from "./tap-marks.ts";
import type { UsageTap } from "./tap-reading.ts";

export function createUsageTap(dialect: TapKind, { eventStream }: { readonly eventStream: boolean }): UsageTap {
  return eventStream ? new StreamTap(dialect) : new DocumentTap(dialect);
}
