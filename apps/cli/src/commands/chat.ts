import type { Invocation } from "../command-line/specification.ts";
import { startChat } from "../start-chat.ts";

export function run(invocation: Invocation): Promise<number> {
  return startChat(invocation, { type: "new" });
}
