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
  /**
   * A line of level `info` whose facts hold nothing that anybody else wrote: ids of ours, names of a fixed set,
   * numbers, and no character that JSON escapes. It is made for every request, and goes out as it is.
   */
  readonly own: (message: string, fields: LogFields) => void;
  /** A log file that was moved away is begun anew; where that fails, the old one goes on. */
  reopen(): void;
  /** Writes what is waiting; nothing is written after it. */
  close(): Promise<void>;
};

export type LogOptions = {
  readonly level: LogLevel;
  readonly destination: { readonly file: string } | "stdout";
  /** Every line goes through it before it leaves the process, but for those of `own`. */
  readonly redact: (text: string) => string;
};

const nothing: Write = () => {};

export const SILENT_LOG: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  own: nothing,
  reopen: () => {},
  close: async () => {},
};

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
  const own = (message: string, fields: LogFields): void => {
    let line = `{"level":"info","time":"${isoTime()}","pid":${pid},`;
    for (const name in fields) {
      const value = fields[name];
      line += typeof value === "string" ? `"${name}":"${value}",` : `"${name}":${value ?? null},`;
    }
    output.write(`${line}"msg":"${message}"}\n`);
  };
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    own: LOG_LEVELS.indexOf("info") < LOG_LEVELS.indexOf(level) ? nothing : own,
    reopen() {
      try {
        output.reopen();
      } catch (error) {
        writer("error")("the log file cannot be opened again: the old one goes on", { error: String(error) });
      }
    },
    close: () => output.close(),
  };
}

/** Many lines are of the same second, and making its text costs as much as the rest of a line. */
function isoTime(): string {
  const now = Date.now();
  const ms = now % 1000;
  if (now - ms !== lastSecond.at) lastSecond = { at: now - ms, text: new Date(now - ms).toISOString().slice(0, -4) };
  return `${lastSecond.text}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}

let lastSecond = { at: Number.NaN, text: "" };

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
