import { answerCommitMessage, isCommitMessageRequest } from "../scripts/commit-message.ts";
import { RefusedRequest } from "../wire/dialect.ts";
import type { NormalizedRequest } from "./normalized-request.ts";
import type { Reply, Script } from "./reply.ts";

type RunnerOptions = { readonly script: Script; readonly answerCommitMessages?: boolean };

/** Asks the script, one request after the other. */
export class ScriptRunner {
  readonly #script: Script;
  readonly #answerCommitMessages: boolean;
  #index = 0;

  constructor({ script, answerCommitMessages = true }: RunnerOptions) {
    this.#script = script;
    this.#answerCommitMessages = answerCommitMessages;
  }

  /** Throws `RefusedRequest` where the script has nothing to say or fails itself. */
  async reply(request: NormalizedRequest): Promise<Reply> {
    if (this.#answerCommitMessages && isCommitMessageRequest(request)) return answerCommitMessage(request);
    const index = this.#index++;
    const entry = typeof this.#script === "function" ? this.#script : this.#script[index];
    if (entry === undefined) {
      throw new RefusedRequest(`The script has ${this.#script.length} replies and this is request ${index + 1}.`);
    }
    if (typeof entry !== "function") return entry;
    try {
      return await entry(request, index);
    } catch (error) {
      throw new RefusedRequest(`The script failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
