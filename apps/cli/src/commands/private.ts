import type { Invocation } from "../command-line/specification.ts";
import { startChat } from "../start-chat.ts";

/** A conversation that never leaves this machine but as questions to the model. */
export function run(invocation: Invocation): Promise<number> {
  return startChat(invocation, { type: "new", private: true });
}
