import type { SessionUpdate } from "@loom/agent";
import type { AgentSettings } from "@loom/core";
import type { StandardOutput } from "../output/standard-output.ts";
import { terminalText } from "../output/terminal-text.ts";
import { activityLine } from "../output/tool-lines.ts";
import { describeAgentError, type RunReport } from "./run-report.ts";

export type RunStart = {
  readonly threadId: string | undefined;
  readonly workspace: string;
  readonly settings: AgentSettings;
  readonly provider: string;
  readonly version: string;
};

/** Shows a headless run. */
export type RunFormat = {
  started(start: RunStart): void;
  update(update: SessionUpdate): void;
  finished(report: RunReport): void;
};

export function createFormat(name: string, output: StandardOutput): RunFormat {
  if (name === "json") return new JsonFormat(output);
  if (name === "stream-json") return new StreamJsonFormat(output);
  return new TextFormat(output);
}

/** The model's text on standard output, everything else on standard error. */
class TextFormat implements RunFormat {
  readonly #output: StandardOutput;
  #lineIsOpen = false;

  constructor(output: StandardOutput) {
    this.#output = output;
  }

  started(): void {}

  update(update: SessionUpdate): void {
    if (update.type === "text_delta") {
      const text = terminalText(update.text);
      this.#output.write(text);
      if (text !== "") this.#lineIsOpen = !text.endsWith("\n");
      return;
    }
    if (update.type === "answer") this.#endLine();
    const line = activityLine(update);
    if (line !== undefined) this.#aside(line);
  }

  finished(report: RunReport): void {
    this.#endLine();
    if (report.error !== undefined) this.#aside(`loom: ${terminalText(report.error.message)}`);
    const isSaved = report.threadId !== null && report.exit !== "not_saved";
    if (isSaved && report.exitCode !== 0) this.#aside(`Go on with: loom resume ${report.threadId}`);
  }

  /** After the text it follows, which matters where both streams are one terminal. */
  #aside(line: string): void {
    this.#output.push();
    process.stderr.write(`${line}\n`);
  }

  #endLine(): void {
    if (this.#lineIsOpen) this.#output.write("\n");
    this.#lineIsOpen = false;
  }
}

/** The result, one JSON object, and nothing before it. */
class JsonFormat implements RunFormat {
  readonly #output: StandardOutput;

  constructor(output: StandardOutput) {
    this.#output = output;
  }

  started(): void {}

  update(): void {}

  finished(report: RunReport): void {
    this.#output.write(`${JSON.stringify(report)}\n`);
  }
}

/** One JSON object per line, as docs/cli.md has them. */
class StreamJsonFormat implements RunFormat {
  readonly #output: StandardOutput;

  constructor(output: StandardOutput) {
    this.#output = output;
  }

  started({ threadId, workspace, settings, provider, version }: RunStart): void {
    const tools = settings.tools.map((tool) => tool.name);
    this.#line({
      type: "init",
      threadId: threadId ?? null,
      workspace,
      model: settings.model,
      provider,
      tools,
      version,
    });
  }

  update(update: SessionUpdate): void {
    const line = streamLine(update);
    if (line !== undefined) this.#line(line);
  }

  finished(report: RunReport): void {
    this.#line(report);
  }

  #line(value: object): void {
    this.#output.write(`${JSON.stringify(value)}\n`);
  }
}

/** What stream-json says of an update; `undefined` for what it leaves out. */
function streamLine(update: SessionUpdate): object | undefined {
  switch (update.type) {
    case "text_delta":
      return update;
    case "tool_started": {
      const { call, title } = update;
      return { type: "tool_started", callId: call.id, name: call.name, input: call.input, title };
    }
    case "tool_progress":
      return { type: "tool_progress", callId: update.callId, ...update.progress };
    case "tool_finished": {
      const { call, outcome, display, durationMs } = update;
      const error = outcome.type === "error" ? { error: { code: outcome.code, message: outcome.message } } : {};
      const success = outcome.type === "success";
      return { type: "tool_finished", callId: call.id, name: call.name, success, ...error, display, durationMs };
    }
    case "commit":
      return { type: "commit", sha: update.sha, message: update.message, paths: update.paths };
    case "notice":
      return { type: "notice", text: update.text };
    case "error": {
      const { code, message } = describeAgentError(update.error);
      return { type: "error", code, message };
    }
    default:
      return undefined;
  }
}
