import fc from "fast-check";
import { expect, test } from "vitest";
import { textRun } from "./text-run.ts";

const HEAD = 'data: {"text":"';
const TAIL = '"}\n\n';
const events = (...texts: readonly string[]) => texts.map((text) => `${HEAD}${text}${TAIL}`).join("");
const run = (stream: string, start = 0) => textRun(stream, start, HEAD, TAIL);

test("a run holds the texts of events that differ in nothing else, and ends behind the last whole one", () => {
  const whole = events("a", "", "b c");
  expect(run(whole)).toEqual({ text: "ab c", end: whole.length });
  for (const rest of [HEAD, `${HEAD}d`, `${HEAD}d"`, `${HEAD}d"}\n`, "data: [DONE]\n\n", ": ping\n\n", "\n"]) {
    expect(run(whole + rest)).toEqual({ text: "ab c", end: whole.length });
  }
  expect(run(`: ping\n\n${whole}`, 8)).toEqual({ text: "ab c", end: 8 + whole.length });
});

test("a text that needs escapes ends the run in front of it", () => {
  for (const other of ["\\n", '"', "tab\t", "\u007f"]) {
    expect(run(events("a", "b", other, "c"))).toEqual({ text: "ab", end: events("a", "b").length });
    expect(run(events(other, "a"))).toBeUndefined();
  }
});

test("what begins otherwise, or is not whole, is no run", () => {
  for (const other of ["", "data: 1\n\n", HEAD, `${HEAD}a"}\n`, ` ${events("a")}`]) expect(run(other)).toBeUndefined();
  expect(textRun(`${"x".repeat(3_000)}a\n\n`, 0, "x".repeat(3_000), "\n\n")).toBeUndefined();
});

test("a run says the same as its events one by one, whatever is in them", () => {
  const one = /data: \{"text":"([^"\\\p{Cc}]*)"\}\n\n/uy;
  const text = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom(TAIL, HEAD, TAIL + HEAD, "\n\n", '"', "\\"));
  const check = fc.property(fc.array(text, { maxLength: 8 }), (texts) => {
    const stream = events(...texts);
    const taken: string[] = [];
    let end = 0;
    one.lastIndex = 0;
    for (let found = one.exec(stream); found !== null; found = one.exec(stream)) {
      taken.push(found[1] ?? "");
      end = one.lastIndex;
    }
    expect(run(stream)).toEqual(end === 0 ? undefined : { text: taken.join(""), end });
  });
  fc.assert(check, { numRuns: 1_000 });
});
