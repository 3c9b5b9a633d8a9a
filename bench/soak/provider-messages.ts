import type { Tokens } from "./plan.ts";
import type { WireDialect } from "./wire-answers.ts";

/** One request as the provider saw it, told when its connection has done with it. Times in Unix milliseconds. */
export type Served = {
  readonly id: number;
  readonly upstream: string;
  readonly dialect: WireDialect;
  readonly stream: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
  /** All of the answer has been handed to the kernel, its token counts included. */
  readonly whole: boolean;
  /** What the answer says that it used, or would have said. */
  readonly counted: Tokens;
  /** Of the answer's body, before any compression. */
  readonly sentBytes: number;
  /** The gateway closed the connection before the provider had done. */
  readonly aborted: boolean;
};

/** What the provider has added up by itself over whole answers, by upstream. */
export type ProviderSums = Readonly<Record<string, { readonly requests: number; readonly tokens: Tokens }>>;

/** From the provider's process. */
export type ProviderMessage =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "served"; readonly batch: readonly Served[] }
  | {
      readonly type: "state";
      readonly connections: number;
      readonly open: number;
      /** Requests without a plan, by method and path. */
      readonly strays: Readonly<Record<string, number>>;
      readonly sums: ProviderSums;
    };
