import type { LlmRequest } from "@loom/core";
import { refuse } from "./request-problem.ts";

/** Refuses a conversation that the user does not begin, or has no part in, for a provider that cannot answer one. */
export function refuseWithoutUser({ system, messages }: LlmRequest, who: string): void {
  const [first] = messages;
  if (first?.role === "assistant") {
    refuse("messages", `must begin with what the user says, where they go to ${who}`);
  }
  if (first === undefined && system !== "") {
    refuse("messages", `hold nothing but instructions, which ${who} does not answer: add a message with the role user`);
  }
}
