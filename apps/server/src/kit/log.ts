import type { DestinationStream } from "pino";

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
  /** Writes what is waiting; for the end of the process. */
  flush(): void;
};

export type LogOptions = {
  readonly level: LogLevel;
  /** A file's path (mode 0600), or the standard output. */
  readonly destination: { readonly file: string } | "stdout";
  /** Every line goes through it before it leaves the process. */
  readonly redact: (text: string) => string;
};

const nothing: Write = () => {};

export const SILENT_LOG: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, flush: () => {} };

/** Lines that wait for a slow reader of the log before the newest are dropped, in bytes. */
const MAX_WAITING = 1024 * 1024;

/** One JSON object per line. pino is loaded only if there is something to write. */
export async function createLog(options: LogOptions): Promise<Log> {
  if (options.level === "silent") return SILENT_LOG;
  const { pino } = await import("pino");
  const destination = pino.destination({
    dest: options.destination === "stdout" ? 1 : options.destination.file,
    ...(options.destination === "stdout" ? {} : { mode: 0o600, mkdir: true }),
    sync: false,
    maxLength: MAX_WAITING,
  });
  // The reader of the log went away or the disk is full: the server goes on without a log.
  destination.on("error", () => {});
  const redacted: DestinationStream = { write: (line) => destination.write(options.redact(line)) };
  const logger = pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    redacted,
  );
  const writer =
    (level: "debug" | "info" | "warn" | "error"): Write =>
    (message, fields) =>
      logger[level](fields ?? {}, message);
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    flush() {
      try {
        destination.flushSync();
      } catch {
        // Not opened yet or gone: nothing to save.
      }
    },
  };
}
