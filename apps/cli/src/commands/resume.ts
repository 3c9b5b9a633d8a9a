import type { Invocation } from "../command-line/specification.ts";
import { startChat } from "../start-chat.ts";

export function run(invocation: Invocation): Promise<number> {
  const [id] = invocation.arguments;
  const fork = invocation.flags.has("--fork");
  return startChat(invocation, id === undefined ? { type: "newest", fork } : { type: "named", text: id, fork });
}
