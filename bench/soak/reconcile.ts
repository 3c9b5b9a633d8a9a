import type { Asked } from "./ask.ts";
import type { LedgerRow } from "./ledger-rows.ts";
import { addTokens, NO_TOKENS, sameTokens, type Tokens } from "./plan.ts";
import type { ProviderSums, Served } from "./provider-messages.ts";
import { killAround, metNoServer, type Restart } from "./restarts.ts";

export type Evidence = {
  readonly asked: readonly Asked[];
  readonly served: ReadonlyMap<number, readonly Served[]>;
  readonly rows: readonly LedgerRow[];
  readonly restarts: readonly Restart[];
  readonly sums: ProviderSums;
};

export type UpstreamBalance = {
  readonly upstream: string;
  /** Whole answers as the provider added them up, and rows with counts that are the provider's own. */
  readonly provider: { readonly requests: number; readonly tokens: Tokens };
  readonly ledger: { readonly requests: number; readonly tokens: Tokens };
  /** Whole answers that were lost with a killed server, or whose client left before their end. */
  readonly excepted: { readonly requests: number; readonly tokens: Tokens };
  readonly adds: boolean;
};

export type Reconciliation = {
  /** Sentences; none when everything holds. */
  readonly problems: readonly string[];
  readonly balances: readonly UpstreamBalance[];
  /** Requests without a row that reached no provider, because the server was killed around them. */
  readonly withoutRow: number;
  /** Rows of requests that a server had open when it was killed. */
  readonly lost: number;
  readonly compared: { readonly exact: number; readonly estimated: number; readonly untouched: number };
};

type Sum = { requests: number; tokens: Tokens };

/** Holds what clients saw, what the provider counted and what the ledger says against each other, request by request. */
export function reconcile({ asked, served, rows, restarts, sums }: Evidence): Reconciliation {
  const problems: string[] = [];
  let withoutRow = 0;
  const excepted = new Map<string, Sum>();
  const ledger = new Map<string, Sum>();
  const compared = { exact: 0, estimated: 0, untouched: 0 };
  // What an attempt used that another took the place of is an estimate, and no request's row.
  const bySession = Map.groupBy(
    rows.filter(({ outcome }) => outcome !== "replaced"),
    ({ session }) => session,
  );
  const known = new Set(asked.map(({ id }) => `soak-${id}`));
  for (const { session, id } of rows) if (!known.has(session)) problems.push(`row ${id}: nobody asked for it`);
  for (const row of rows) {
    if (!row.estimated && row.outcome !== "refused" && total(row.tokens) > 0) add(ledger, row.upstream, row.tokens);
  }

  for (const request of asked) {
    const attempts = served.get(request.id) ?? [];
    const whole = attempts.filter((attempt) => attempt.whole);
    const [row, ...more] = bySession.get(`soak-${request.id}`) ?? [];
    const problem = (sentence: string): void => {
      const { way, wish, status, broken } = request;
      const kind = `${way}, ${wish.stream ? "stream" : "whole"}, ${wish.fault ?? wish.manner}`;
      problems.push(`request ${request.id} (${kind}; status ${status} ${broken ?? ""}): ${sentence}`);
    };
    if (request.hung) problem("hung");
    if (more.length > 0) problem("has several rows");
    if (whole.length > 1) problem(`was answered in full ${whole.length} times`);
    const [answer] = whole;
    if (row === undefined) {
      if (attempts.length === 0 && mayHaveNoRow(request, restarts)) continue;
      // A client that left may be long gone when the server, or the provider, gets to its request.
      const endedMs = Math.max(request.endedMs, ...attempts.map((attempt) => attempt.endedMs));
      const kill = killAround(restarts, { startedMs: request.startedMs, endedMs });
      if (kill !== undefined && attempts.length === 0) withoutRow += 1;
      else
        problem(
          `${attempts.length > 0 ? "reached the provider and " : ""}has no row; ${connectionOf(request, restarts)}`,
        );
      continue;
    }
    if (answer !== undefined && (row.estimated || total(row.tokens) === 0)) {
      add(excepted, answer.upstream, answer.counted);
      if (row.outcome === "completed") problem("is completed, but its tokens are not the provider's");
    }
    if (isLost(row)) {
      const kill = killAround(restarts, {
        startedMs: request.startedMs,
        endedMs: Math.max(request.endedMs, row.endedMs),
      });
      if (kill === undefined) problem("is lost, and no server was killed");
    } else if (request.whole && (row.outcome !== "completed" || row.estimated)) {
      problem(`was whole for its client; the row says ${row.outcome}${row.estimated ? ", estimated" : ""}`);
    }
    if (row.outcome === "refused") {
      if (attempts.length > 0) problem("was refused and still reached the provider");
      compared.untouched += 1;
    } else if (answer !== undefined && !row.estimated && total(row.tokens) > 0) {
      compared.exact += 1;
      if (!sameTokens(row.tokens, answer.counted)) {
        problem(`tokens ${JSON.stringify(row.tokens)} instead of ${JSON.stringify(answer.counted)}`);
      }
    } else if (total(row.tokens) > 0) {
      compared.estimated += 1;
      const excess = beyondBounds(row, request, attempts);
      if (excess !== undefined) problem(excess);
    } else compared.untouched += 1;
  }
  return {
    problems,
    balances: balance(sums, ledger, excepted),
    withoutRow,
    lost: rows.filter(isLost).length,
    compared,
  };
}

/** What is known of a request that was not accounted for. */
function connectionOf({ startedMs, endedMs, connectedMs }: Asked, restarts: readonly Restart[]): string {
  const last = restarts.findLast(({ atMs }) => atMs <= startedMs);
  const since = last === undefined ? "before any restart" : `${startedMs - last.backMs} ms after a ${last.kind}`;
  const connected = connectedMs === undefined ? "never connected" : `connected ${startedMs - connectedMs} ms before`;
  return `${since}, ${connected}, over after ${endedMs - startedMs} ms`;
}

/** Nothing was done for it, so there is nothing to account for. */
function mayHaveNoRow(request: Asked, restarts: readonly Restart[]): boolean {
  // It left before its body was there, met no server, or met one that takes no more requests.
  return request.leftMs !== undefined || metNoServer(restarts, request);
}

function isLost({ errorCode }: LedgerRow): boolean {
  return errorCode === "lost";
}

/** An estimate may not be more than what was asked and what was sent. */
function beyondBounds(row: LedgerRow, request: Asked, attempts: readonly Served[]): string | undefined {
  // The most that it can have used; it may even have been on its way to the provider.
  if (isLost(row)) return row.estimated ? undefined : "is lost, and not marked as estimated";
  const [attempt] = attempts.toSorted((a, b) => b.sentBytes - a.sentBytes);
  if (attempt === undefined) return "used tokens although no provider saw it";
  const { counted, sentBytes } = attempt;
  const prompt = Math.max(counted.input, Math.ceil(request.promptBytes / 4));
  const answer = Math.max(counted.output, Math.ceil(sentBytes / 4));
  if (!row.estimated) {
    return sameTokens(row.tokens, counted) ? undefined : "was not answered in full, and is not marked as estimated";
  }
  if (row.tokens.input > prompt) return `an estimate of ${row.tokens.input} tokens for a prompt of ${prompt}`;
  if (row.tokens.output > answer) return `an estimate of ${row.tokens.output} tokens for an answer of ${answer}`;
  return undefined;
}

function balance(sums: ProviderSums, ledger: ReadonlyMap<string, Sum>, excepted: ReadonlyMap<string, Sum>) {
  const names = new Set([...Object.keys(sums), ...ledger.keys()]);
  return [...names].sort().map((upstream): UpstreamBalance => {
    const ours = ledger.get(upstream) ?? { requests: 0, tokens: NO_TOKENS };
    const missing = excepted.get(upstream) ?? { requests: 0, tokens: NO_TOKENS };
    const provider = sums[upstream] ?? { requests: 0, tokens: NO_TOKENS };
    const adds =
      ours.requests + missing.requests === provider.requests &&
      sameTokens(addTokens(ours.tokens, missing.tokens), provider.tokens);
    return { upstream, provider, ledger: ours, excepted: missing, adds };
  });
}

function add(sums: Map<string, Sum>, upstream: string, tokens: Tokens): void {
  const sum = sums.get(upstream) ?? { requests: 0, tokens: NO_TOKENS };
  sums.set(upstream, { requests: sum.requests + 1, tokens: addTokens(sum.tokens, tokens) });
}

function total({ input, output, cacheRead, cacheWrite }: Tokens): number {
  return input + output + cacheRead + cacheWrite;
}
