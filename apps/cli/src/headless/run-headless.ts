import type { SessionUpdate } from "@loom/agent";
import type { ThreadId } from "@loom/core";
import type { Invocation } from "../command-line/specification.ts";
import { connect } from "../connection.ts";
import { openConversation } from "../conversation.ts";
import { splitEnvironment } from "../environment.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { describeFailure } from "../failure.ts";
import { StandardOutput } from "../output/standard-output.ts";
import { RunStop } from "../run-stop.ts";
import { loadSettings, type Settings, textOf } from "../settings.ts";
import type { ThreadChoice } from "../thread-access.ts";
import { versionFacts } from "../version.ts";
import { createFormat, type RunFormat } from "./formats.ts";
import { readPrompt } from "./prompt.ts";
import { type RunReport, reportEarlyEnd, reportRun } from "./run-report.ts";

/** How long a reader of the output may take at the end. */
const FLUSH_MS = 5_000;

/**
 * One turn without a person: prompt in, result out. Always ends: by itself, by the deadline, by a signal, or because
 * nobody reads the output; then the thread is saved and the exit code says why.
 */
export async function runHeadless(invocation: Invocation, choice: ThreadChoice): Promise<never> {
  const stop = new RunStop();
  stop.onSignals();
  const output = new StandardOutput(() => {
    stop.stop({ exit: "output_closed", message: "Stopped, because nobody reads the output." });
  });
  const format = createFormat(textOf(invocation, "--output-format") ?? "text", output);
  let report: RunReport;
  try {
    report = await runTurn(invocation, choice, stop, format);
  } catch (error) {
    const wasStopped = stop.reason !== undefined;
    report = reportEarlyEnd(await describeFailure(error), { wasStopped, durationMs: Math.round(performance.now()) });
  }
  stop.done();
  format.finished(report);
  await output.flush(FLUSH_MS);
  // Not by itself: a kept connection or an open input must not hold the process.
  process.exit(exitCodeOf(report.exit));
}

async function runTurn(
  invocation: Invocation,
  choice: ThreadChoice,
  stop: RunStop,
  format: RunFormat,
): Promise<RunReport> {
  const settings = await loadSettings(invocation);
  stop.onDeadline(settings.config.get("limits.run_timeout_seconds"));
  const { withKeys, forChildren } = splitEnvironment();
  const { signal } = stop;
  const reading = readPrompt(textOf(invocation, "--prompt") ?? "", signal);
  // Looked at below; a prompt that fails while the connection is being made must not count as unhandled.
  reading.catch(() => undefined);
  const connection = await connect(settings, withKeys);
  try {
    const { input, notice } = await reading;
    const onUpdate = (update: SessionUpdate) => format.update(update);
    const conversation = openConversation({ settings, connection, choice, environment: forChildren, onUpdate, signal });
    const { session, agentSettings } = conversation;
    format.started({
      threadId: session.threadId,
      workspace: settings.workspace,
      settings: agentSettings,
      provider: settings.config.get("provider"),
      version: versionFacts().version,
    });
    for (const text of [...conversation.notices, ...(notice === undefined ? [] : [notice])]) {
      onUpdate({ type: "notice", text });
    }
    const result = await session.send(input);
    const end = await conversation.close();
    await syncAtEnd(settings, session.threadId, (text) => onUpdate({ type: "notice", text }));
    const durationMs = Math.round(performance.now());
    return reportRun({ threadId: session.threadId, result, end, stop: stop.reason, durationMs });
  } finally {
    await connection.close();
  }
}

/** Not for long: what does not get through now does with the next session, or with `loom sync now`. */
async function syncAtEnd(
  settings: Settings,
  threadId: ThreadId | undefined,
  tell: (notice: string) => void,
): Promise<void> {
  if (settings.config.get("server.url") === "") return;
  const { SessionSync } = await import("../session-sync.ts");
  await new SessionSync(settings, tell).close(threadId);
}
