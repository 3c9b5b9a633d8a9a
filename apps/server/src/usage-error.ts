/** The command line, or a variable that stands in for it, is wrong. `message` is one sentence. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
