import type { Log } from "../../kit/log.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { CredentialError } from "../credentials/credential-error.ts";
import type { SealedSecrets } from "../credentials/sealed-secrets.ts";

const MISSING =
  "This server has no master key, or not the one that it had, so it can neither keep nor read what an app's codes are made from: " +
  "whoever runs it has to give it in LOOM_SERVER_MASTER_KEY_FILE; its log says more. Passkeys and recovery codes work without.";

/** What codes are made from. Without the master key, people are told so, and the log has what only who runs the server may know. */
export function createAppSecrets(secrets: SealedSecrets, log: Log): SealedSecrets {
  async function told<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error;
      log.error("the secret of an app cannot be kept or read", { reason: error.message });
      throw new ProblemError("unavailable", MISSING);
    }
  }
  return {
    put: (secret) => told(secrets.put(secret)),
    open: (id, purpose) => told(secrets.open(id, purpose)),
    remove: (id) => secrets.remove(id),
  };
}
