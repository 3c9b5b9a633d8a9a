import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanMessage, messageFromPaths } from "./commit-message.ts";

describe("a message of the model", () => {
  test.each([
    ["fix(parser): accept empty input.", "fix(parser): accept empty input"],
    ["Here is the commit message:\n\n```\nfeat: add x\n```\n", "feat: add x"],
    ['"feat!: drop y"', "feat!: drop y"],
    ["**docs: say more**", "docs: say more"],
    ["feat: add x\r\n\r\n- because of a\r\n- and b", "feat: add x\n\n- because of a\n- and b"],
    ["feat: add x\n\nCo-authored-by: Somebody <s@example.com>\nSigned-off-by: me", "feat: add x"],
    ["feat: add x\n\n[skip ci]", "feat: add x"],
    ["fix: a\u001b[31m\u0000b\u202ec", "fix: a [31m b c"],
  ])("is cut down to the message: %j", (text, message) => {
    expect(cleanMessage(text)).toBe(message);
  });

  test.each(["", "I cannot do that.", "Update files", "```", "feat:"])("is not used if it is none: %j", (text) => {
    expect(cleanMessage(text)).toBeUndefined();
  });

  test("has a subject of 72 characters at most, cut between words", () => {
    expect(cleanMessage(`feat: ${"word ".repeat(30)}`)).toBe(`feat: ${"word ".repeat(13).trimEnd()}`);
    expect(cleanMessage(`feat: ${"x".repeat(100)}`)).toHaveLength(72);
    expect(cleanMessage(`feat(${"s".repeat(40)}): ${"x".repeat(100)}`)).toHaveLength(72);
  });

  test("is one clean subject line and a short body, whatever the model says", () => {
    const words = fc.constantFrom(
      "feat: x",
      "\n",
      "\r",
      "\u2028",
      "fix(a): 😀",
      " ",
      "```",
      "#",
      "\0",
      "-- ",
      "a".repeat(90),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ unit: "binary" })), { maxLength: 30 }), (parts) => {
        const message = cleanMessage(parts.join(""));
        if (message === undefined) return;
        const [subject = "", gap, ...body] = message.split("\n");
        expect(subject).toMatch(/^[a-z]+(\([^()]+\))?!?: \S/);
        expect(subject.length).toBeLessThanOrEqual(72);
        expect(gap ?? "").toBe("");
        expect(body.length).toBeLessThanOrEqual(8);
        expect(message.isWellFormed()).toBe(true);
        expect(message.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u2028]/u);
      }),
    );
  });
});

describe("a message made of paths", () => {
  const file = (path: string, kind: "added" | "deleted" | "modified" = "modified") => ({ path, kind });

  test.each([
    [[file("src/a.ts")], "chore: update a.ts"],
    [[file("README.md", "added")], "docs: add README.md"],
    [[file("src/a.test.ts", "deleted")], "test: remove a.test.ts"],
    [[file("src/a.ts"), file("src/b.ts", "added")], "chore: update a.ts and 1 more\n\nupdate src/a.ts\nadd src/b.ts"],
    [[], "chore: update files"],
  ])("names the files", (files, message) => {
    expect(messageFromPaths(files)).toBe(message);
  });

  test("keeps to the same bounds", () => {
    const files = Array.from({ length: 50 }, (_, n) => file(`${"long".repeat(40)}${n}`));
    const [subject = "", , ...body] = messageFromPaths(files).split("\n");
    expect(subject.length).toBeLessThanOrEqual(72);
    expect(body).toHaveLength(9);
    expect(body.at(-1)).toBe("and 42 more");
  });
});
