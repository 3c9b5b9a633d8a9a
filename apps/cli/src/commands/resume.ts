import type { Invocation } from "../command-line/specification.ts";
import { startChat } from "../start-chat.ts";

export function run(invocation: Invocation): Promise<number> {
  const [id] = invocation.arguments;
  return startChat(invocation, id === undefined ? { type: "newest" } : { type: "named", text: id });
}
