import type { UsageTotal } from "./admin.ts";
import type { Asked } from "./ask.ts";
import type { Books } from "./ledger-rows.ts";
import type { SoakOptions } from "./options.ts";
import type { ProcessState } from "./process-state.ts";
import type { Served } from "./provider-messages.ts";
import type { ProviderState } from "./provider-process.ts";
import type { Reconciliation } from "./reconcile.ts";
import type { Restart } from "./restarts.ts";
import type { Plateau } from "./samples.ts";

/** All that a run has brought to light. Times in Unix milliseconds. */
export type Findings = {
  readonly options: SoakOptions;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly asked: readonly Asked[];
  readonly served: ReadonlyMap<number, readonly Served[]>;
  readonly skipped: number;
  readonly locks: number;
  readonly restarts: readonly Restart[];
  readonly books: Books;
  readonly tokenIds: ReadonlyMap<string, string>;
  readonly provider: ProviderState;
  readonly reconciliation: Reconciliation;
  /** Of the server before the first request, and when all is over and idle connections are given up. */
  readonly before: ProcessState | undefined;
  readonly after: ProcessState | undefined;
  readonly metrics: {
    readonly open: number | undefined;
    readonly unwrittenRows: number | undefined;
    /** In use when all is over and garbage is collected. */
    readonly heapMegabytes: number;
    readonly droppedRows: number;
  };
  readonly usage: UsageTotal;
  readonly plateau: Plateau;
  /** Of one core. */
  readonly cpuShare: number;
  /** What went wrong on the way. */
  readonly problems: readonly string[];
};
