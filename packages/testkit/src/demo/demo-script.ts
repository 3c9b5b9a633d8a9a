import { posix } from "node:path";
import type { AnsweredCall, NormalizedRequest } from "../model/normalized-request.ts";
import { callTool, callTools, type Reply, say } from "../model/reply.ts";
import { findSuspect } from "./suspicions.ts";
import { type FailedTest, readTestRun } from "./test-run.ts";

const TEST_COMMAND = "npm test";
const MAX_EDITS = 3;
const NEEDED_TOOLS = ["bash", "edit_file", "read_file", "search"];

const INTRODUCTION =
  "I am Loom's scripted model: a small fixed policy that stands in for a language model, so that everything else can " +
  'be tried without a key. I can repair simple failing tests of a Node package: ask me to "make the tests pass". For ' +
  "anything else, configure a real model.";

/**
 * The model of the demo: no tape but a policy, which decides from what the tools said. It runs the tests, reads the
 * failing one, follows its import to the source, looks there for the few mistakes it knows, mends one and runs the
 * tests again.
 */
export function demoScript(request: NormalizedRequest): Reply {
  if (!/\btests?\b/i.test(request.prompt) || !/\b(pass|fix|fail|green|repair)/i.test(request.prompt)) {
    return say(INTRODUCTION);
  }
  const missing = NEEDED_TOOLS.filter((name) => !request.toolNames.includes(name));
  if (missing.length > 0) return say(`I cannot do that without these tools: ${missing.join(", ")}.`);
  return nextStep(request);
}

function nextStep({ turnResults: results, toolNames }: NormalizedRequest): Reply {
  const lastRun = results.findLastIndex((result) => result.name === "bash");
  const run = results[lastRun];
  if (run === undefined) return lookAround(toolNames);
  const sinceRun = results.slice(lastRun + 1);
  if (sinceRun.some((result) => result.name === "edit_file")) {
    return callTool("bash", { command: TEST_COMMAND }, { text: "The edit is in. I run the tests again." });
  }
  const outcome = readTestRun(run.text);
  if (outcome.type === "passed") return say(summary(results));
  if (outcome.type === "unclear") return say(`The tests did not run as expected, so I stop here:\n\n${run.text}`);
  if (edits(results).length >= MAX_EDITS) return say(`I changed what I could, but ${outcome.file} still fails.`);

  const test = lastRead(results, outcome.file);
  if (test === undefined) {
    return callTools(
      [
        { name: "read_file", input: { path: outcome.file } },
        { name: "search", input: { pattern: "export function", path: "src" } },
      ],
      { text: `"${outcome.title}" fails in ${outcome.file}. I read that test and look for what it calls.` },
    );
  }
  const called = importedBy(test.text, outcome);
  if (called === undefined) return say(`I cannot tell what "${outcome.title}" in ${outcome.file} is testing.`);
  const source = lastRead(sinceRun, called.path);
  if (source === undefined) {
    return callTool("read_file", { path: called.path }, { text: `It calls ${called.name}, from ${called.path}.` });
  }
  const suspect = findSuspect(source.text, called.name);
  if (suspect === undefined)
    return say(`I read ${called.name} in ${called.path} and find none of the mistakes I know.`);
  return callTool(
    "edit_file",
    { path: called.path, edits: [{ oldText: suspect.oldText, newText: suspect.newText }] },
    { text: `Found it: ${suspect.reason}`, thinking: `${suspect.oldText} should be ${suspect.newText}.` },
  );
}

function lookAround(toolNames: readonly string[]): Reply {
  const list = toolNames.includes("list_files") ? [{ name: "list_files", input: {} }] : [];
  return callTools([...list, { name: "bash", input: { command: TEST_COMMAND } }], {
    thinking: "First see what is here and which test fails; then follow it to the source.",
    text: "I look at the repository and run its tests.",
  });
}

function edits(results: readonly AnsweredCall[]): readonly AnsweredCall[] {
  return results.filter((result) => result.name === "edit_file");
}

function lastRead(results: readonly AnsweredCall[], path: string): AnsweredCall | undefined {
  return results.findLast((result) => result.name === "read_file" && result.input.path === path);
}

/** Which function of which source file the named test uses, from the test file's own text. */
function importedBy(text: string, { file, title }: FailedTest): { name: string; path: string } | undefined {
  const start = text.indexOf(title);
  const end = text.indexOf("});", start);
  const body = start === -1 ? text : text.slice(start + title.length, end === -1 ? undefined : end);
  for (const [, names = "", path = ""] of text.matchAll(/import \{([^}]+)\} from "(\.\.?\/[^"]+)"/g)) {
    const name = names
      .split(",")
      .map((part) => part.trim())
      .find((part) => body.includes(`${part}(`));
    if (name !== undefined) return { name, path: posix.join(posix.dirname(file), path) };
  }
  return undefined;
}

function summary(results: readonly AnsweredCall[]): string {
  const paths = [...new Set(edits(results).map((result) => String(result.input.path)))];
  if (paths.length === 0) return "All tests pass already; there was nothing to change.";
  return `All tests pass now. I changed ${paths.join(", ")} and left the tests as they were.`;
}
