export type ThreadErrorCode =
  | "thread_not_found"
  | "thread_ambiguous"
  | "thread_in_use"
  | "thread_deleted"
  | "thread_damaged"
  | "thread_too_new"
  | "thread_not_saved";

/** Something is wrong with one thread on disk. The message is one sentence: what, where, what to do. */
export class ThreadError extends Error {
  override readonly name = "ThreadError";
  readonly code: ThreadErrorCode;
  /** Whether trying again later can help without a change by the person. */
  readonly retryable: boolean;

  constructor(code: ThreadErrorCode, message: string, options: ErrorOptions & { readonly retryable?: boolean } = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

const NO_ROOM = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** A write failed. Nothing is lost: the records wait in memory and go out with the next one. */
export function notSaved(file: string, cause: unknown): ThreadError {
  const message = `The thread cannot be saved to ${file}: ${reasonOf(cause)}. It is kept in memory and saved as soon as that works again.`;
  return new ThreadError("thread_not_saved", message, { cause, retryable: true });
}

/** Nothing can be written beside the thread, so that it is not even begun with. */
export function notWritable(id: string, directory: string, cause: unknown): ThreadError {
  const message = `Thread ${id} cannot be written now: in ${directory}, ${reasonOf(cause)}. Mend that and try again; loom threads show ${id} reads it.`;
  return new ThreadError("thread_not_saved", message, { cause, retryable: true });
}

function reasonOf(cause: unknown): string {
  // What has kept a lease from being taken was told by us already: the system's word is behind it.
  if (cause instanceof ThreadError && cause.cause !== undefined) return reasonOf(cause.cause);
  const code = systemCode(cause);
  return code !== undefined && NO_ROOM.has(code) ? "there is no space left" : `the system said ${code ?? "no"}`;
}

/** `ENOENT`, `EEXIST` and the like, where the error comes from the system. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The thread is in the trash. */
export function inTrash(id: string): ThreadError {
  return new ThreadError("thread_deleted", `Thread ${id} is in the trash: loom threads restore ${id} brings it back.`);
}
