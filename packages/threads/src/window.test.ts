import { type AgentState, conversationProblem, type Message, startAgent, step } from "@loom/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SETTINGS, says } from "./events.testing.ts";
import { eventFor } from "./walk.testing.ts";
import { asWindow, messagesToSkip } from "./window.ts";

const user = (text: string): Message => ({ role: "user", content: [{ type: "text", text }] });
const assistant = (text: string): Message => ({ role: "assistant", content: [{ type: "text", text }] });

test("a conversation that fits is gone on with as a whole", () => {
  expect(messagesToSkip([user("a"), assistant("b"), user("c")], 3)).toBe(0);
  expect(messagesToSkip([], 3)).toBe(0);
});

test("of a longer one, the end that fits is kept, and begins with the person", () => {
  const messages = [user("aaaa"), assistant("bbbb"), user("cc"), assistant("dd"), user("e"), assistant("f")];
  expect(messagesToSkip(messages, 6)).toBe(2);
  expect(messagesToSkip(messages, 5)).toBe(4);
  expect(JSON.stringify(asWindow(messages.slice(4)))).toContain("is left out here");
});

test("the last message of the person is kept, however long it is", () => {
  expect(messagesToSkip([user("a"), assistant("b"), user("c".repeat(100))], 10)).toBe(2);
});

test("for every conversation and every bound, the end is a valid conversation", () => {
  const walks = fc.tuple(fc.gen(), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }));
  fc.assert(
    fc.property(walks, ([draw, length, bound]) => {
      let state: AgentState = startAgent({ messages: [], seed: 3 }).state;
      for (let n = 0; n < length; n++)
        state = step(state, n === 0 ? says("begin") : draw(eventFor, state), SETTINGS).state;
      const { messages } = step(state, { type: "shutdown_requested" }, SETTINGS).state.context;
      const skip = messagesToSkip(messages, bound);
      expect(skip).toBeLessThan(Math.max(1, messages.length));
      expect(conversationProblem(skip > 0 ? asWindow(messages.slice(skip)) : messages)).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});
