/** Why something cannot be done with a credential. `message` is a whole sentence and holds no secret. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
  readonly reason: "wrong" | "taken" | "unknown" | "master_key";

  constructor(reason: CredentialError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
