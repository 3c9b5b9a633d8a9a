import type { SyncOutcome, SyncStatus } from "@loom/threads/sync";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { terminalLine } from "../output/terminal-text.ts";
import { openKnownThreads, openServerThreads } from "../server-threads.ts";
import { loadSettings, type Settings } from "../settings.ts";

/** How long another process that syncs is waited for. */
const BUSY_MS = 60_000;
const POLL_MS = 200;

/** Says how far the threads are the same here and on the server; `now` makes them so first. */
export async function run(invocation: Invocation): Promise<number> {
  const action = invocation.arguments[0] ?? "status";
  if (action !== "status" && action !== "now") {
    throw new CliError("usage", `ACTION must be status or now, not "${action}".`);
  }
  const settings = await loadSettings(invocation);
  const outcome = action === "now" ? await syncNow(settings) : undefined;
  const threads = openKnownThreads(settings);
  try {
    const status = threads.sync.status();
    const notices = threads.sync.takeNotices();
    process.stdout.write(
      invocation.flags.has("--json")
        ? `${JSON.stringify(asDocument(threads.server, status, notices), undefined, 2)}\n`
        : report(threads.server, status, notices),
    );
    if (outcome?.type === "busy") {
      throw new CliError("failed", `Process ${outcome.holder.pid} is syncing and does not come to an end.`);
    }
    return exitCodeOf(outcome?.type === "failed" ? "unreachable" : "ok");
  } finally {
    threads.close();
  }
}

async function syncNow(settings: Settings): Promise<SyncOutcome> {
  const { sync, close } = openServerThreads(settings);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGINT", onSignal);
  try {
    const until = Date.now() + BUSY_MS;
    for (;;) {
      const outcome = await sync.run({ signal: stop.signal, hurry: true, checkOutputs: true });
      if (outcome.type !== "busy" || Date.now() >= until) return outcome;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } catch (error) {
    if (stop.signal.aborted) throw new CliError("interrupted", "Stopped; what is done is done, the rest comes later.");
    throw error;
  } finally {
    process.off("SIGINT", onSignal);
    close();
  }
}

function asDocument(server: string, status: SyncStatus, notices: readonly string[]) {
  const { failure, succeededAt, failures, ...rest } = status;
  return {
    server,
    ...rest,
    succeededAt: timeOf(succeededAt),
    failure: failure === undefined ? null : { message: failure.message, nextTryAt: timeOf(failure.nextTryAt) },
    failures: failures.map(({ id, failure: own }) => ({
      id,
      message: own.message,
      nextTryAt: timeOf(own.nextTryAt),
    })),
    notices,
  };
}

function report(server: string, status: SyncStatus, notices: readonly string[]): string {
  const { pending, failure, succeededAt, failures, tooLong, detached, withdrawn, lacking } = status;
  const lines = [
    `Server:   ${server}`,
    `Pending:  ${count(pending)}`,
    `Last:     ${succeededAt === undefined ? "never" : shown(succeededAt)}`,
  ];
  if (failure !== undefined) lines.push(`Problem:  ${failure.message} Next try: ${shown(failure.nextTryAt)}.`);
  for (const { id, failure: own } of failures) {
    lines.push(`${id}: ${own.message} Next try: ${shown(own.nextTryAt)}.`);
  }
  for (const { id, record, bytes, most } of tooLong) {
    // Up, so that what is just over the bound does not read as if it were within it.
    const size = (Math.ceil((bytes / 1_048_576) * 10) / 10).toFixed(1);
    const bound = (most / 1_048_576).toFixed(1);
    lines.push(
      `${id}: record ${record} (line ${record} of its file) has ${size} MiB, and the server takes ${bound} MiB: it and all that follows stay on this machine only. Go on in a new thread to have what comes next on the server.`,
    );
  }
  for (const { id, outputs, more = false } of lacking) {
    const count = more ? `at least ${outputs}` : outputs;
    lines.push(
      `${id}: ${outputs === 1 ? "1 long output is" : `${count} long outputs are`} neither here nor on the server: a machine that has what is missing sends it with "loom sync now", unless it is damaged there.`,
    );
  }
  for (const id of detached) lines.push(`${id}: was removed on the server; what is here stays here only.`);
  for (const id of withdrawn) {
    lines.push(`${id}: was taken back from the server; "loom resume ${id} --fork" makes a copy that can be synced.`);
  }
  lines.push(...notices);
  return lines.map((line) => `${terminalLine(line, 1_000)}\n`).join("");
}

function count(threads: number): string {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function shown(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}
