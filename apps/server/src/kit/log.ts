import { openLogDestination } from "./log-destination.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** Facts of a line. Never a body, a header or anything else that a client or a provider wrote as a whole. */
export type LogFields = { readonly [name: string]: string | number | boolean | null | undefined };

type Write = (message: string, fields?: LogFields) => void;

export type Log = {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  /** Writes what is waiting; nothing is written after it. */
  close(): Promise<void>;
};

export type LogOptions = {
  readonly level: LogLevel;
  readonly destination: { readonly file: string } | "stdout";
  /** Every line goes through it before it leaves the process. */
  readonly redact: (text: string) => string;
};

const nothing: Write = () => {};

export const SILENT_LOG: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, close: async () => {} };

/**
 * One JSON object per line.
 * @throws LogFileError
 */
export async function createLog({ level, destination, redact }: LogOptions): Promise<Log> {
  if (level === "silent") return SILENT_LOG;
  const output = openDestination(destination);
  const { pid } = process;
  const writer = (of: LogLevel): Write => {
    if (LOG_LEVELS.indexOf(of) < LOG_LEVELS.indexOf(level)) return nothing;
    return (msg, fields) =>
      output.write(redact(`${JSON.stringify({ level: of, time: isoTime(), pid, ...fields, msg })}\n`));
  };
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    close: () => output.close(),
  };
}

/** Many lines are of the same millisecond. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastTime.ms) lastTime = { ms: now, text: new Date(now).toISOString() };
  return lastTime.text;
}

let lastTime = { ms: Number.NaN, text: "" };

/** The log cannot be written where it was asked for. `message` is a whole sentence. */
export class LogFileError extends Error {
  override readonly name = "LogFileError";
}

function openDestination(destination: LogOptions["destination"]) {
  if (destination === "stdout") return openLogDestination({ descriptor: 1 });
  try {
    return openLogDestination(destination);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new LogFileError(`The log file ${destination.file} cannot be opened (${code}): choose another one.`);
  }
}
