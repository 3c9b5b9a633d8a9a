import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CliError } from "../exit-codes.ts";
import { COMMANDS } from "./commands.ts";
import { parseCommandLine } from "./parse.ts";

function parse(...words: string[]) {
  const { command, flags, arguments: given } = parseCommandLine(words, COMMANDS);
  return { command: command.name, flags: Object.fromEntries(flags), arguments: given };
}

describe("parseCommandLine", () => {
  it("reads flags in every usual form", () => {
    const flags = { "--prompt": "do it", "--model": "m", "--workspace": "/w" };
    const expected = { command: "", flags, arguments: [] };
    expect(parse("-p", "do it", "--model", "m", "-w", "/w")).toEqual(expected);
    expect(parse("--prompt=do it", "--model=m", "-w/w")).toEqual(expected);
  });

  it("takes the last of a flag that is given twice", () => {
    expect(parse("--model", "a", "--model", "b").flags).toEqual({ "--model": "b" });
  });

  it("finds commands of one and two words, with their arguments before or after flags", () => {
    expect(parse("config", "show", "--json")).toMatchObject({ command: "config show", flags: { "--json": true } });
    expect(parse("resume", "T-01", "-p", "x")).toMatchObject({ command: "resume", arguments: ["T-01"] });
    expect(parse("resume", "-p", "x", "T-01")).toMatchObject({ command: "resume", arguments: ["T-01"] });
    expect(parse("replay", "--", "--json")).toMatchObject({ command: "replay", arguments: ["--json"], flags: {} });
  });

  it("accepts a prompt that begins with a dash, and - for standard input", () => {
    expect(parse("-p", "- tidy up\n- test").flags).toEqual({ "--prompt": "- tidy up\n- test" });
    expect(parse("-p", "-").flags).toEqual({ "--prompt": "-" });
    expect(parse("--prompt=--help me").flags).toEqual({ "--prompt": "--help me" });
  });

  it("hands everything after `server` on", () => {
    expect(parse("server", "--listen", "127.0.0.1:0", "--help")).toEqual({
      command: "server",
      flags: {},
      arguments: ["--listen", "127.0.0.1:0", "--help"],
    });
  });

  it("gives help even where arguments are missing", () => {
    expect(parse("replay", "--help").flags).toEqual({ "--help": true });
  });

  it.each([
    [["--modle", "x"], "There is no flag --modle; did you mean --model?"],
    [["list", "--jsno"], 'There is no flag --jsno in "loom list"; did you mean --json?'],
    [["--banana"], 'There is no flag --banana; run "loom --help".'],
    [["-x"], "There is no flag -x;"],
    [["lsit"], 'There is no command "lsit"; did you mean "loom list"?'],
    [["config", "shwo"], '"loom config" is not complete; there is: loom config show.'],
    [["please fix it"], 'There is no command "please fix it"; to ask something, run: loom -p "…".'],
    [["-p"], "--prompt needs a value: --prompt PROMPT."],
    [["-p", "--output-format", "json"], "--prompt needs a value"],
    [["list", "--json=yes"], "--json takes no value."],
    [["--output-format", "jsn"], 'must be one of text, json, stream-json, not "jsn"; did you mean json?'],
    [["replay"], 'FILE is missing in "loom replay"'],
    [["list", "extra"], '"extra" is one argument too many in "loom list"'],
  ])("refuses %j with advice", (words, message) => {
    expect(() => parse(...words)).toThrow(message);
    expect(() => parse(...words)).toThrow(CliError);
  });

  it("never fails with anything but a usage error", () => {
    const known = COMMANDS.flatMap(({ name, flags }) => [...name.split(" "), ...flags.map((flag) => flag.name)]);
    const word = fc.oneof(fc.constantFrom(...known, "-", "--", "-p", "="), fc.string());
    fc.assert(
      fc.property(fc.array(word), (words) => {
        try {
          parse(...words);
        } catch (error) {
          expect(error).toBeInstanceOf(CliError);
        }
      }),
    );
  });
});
