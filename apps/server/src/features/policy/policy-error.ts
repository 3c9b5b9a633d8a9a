/** A policy or the schema cannot be used. `message` is a whole sentence that says where and why. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}
