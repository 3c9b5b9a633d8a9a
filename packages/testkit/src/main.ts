import { parseArgs } from "node:util";
import { demoScript } from "./demo/demo-script.ts";
import type { ScriptFunction } from "./model/reply.ts";
import { startScriptedModel } from "./model/scripted-model.ts";
import { echo, longAnswer, toolTurns } from "./scripts/bench-scripts.ts";

const USAGE = `Usage: node packages/testkit/src/main.ts [--port N] [--script NAME] [options]

Runs the scripted model until it is stopped, and prints its address on the first line. It speaks Anthropic Messages,
OpenAI Chat Completions and OpenAI Responses; any API key will do.

  --port N               listen on this port of 127.0.0.1 (default: a free one)
  --script demo          repairs the demo's failing test (default)
  --script echo          says what it was told
  --script long=N        streams N text deltas of 12 bytes
  --script tool-turns=N  calls one tool in each of N turns, then answers
  --tool command|read    what tool-turns does in a turn (default: command)
  --path FILE            what "read" reads (default: README.md)
  --events-per-write N   how many events of "long" go into one write (default: 100)
  --gap-ms N             pause between writes of "long" (default: 0)
`;

const OPTIONS = {
  port: { type: "string", default: "0" },
  script: { type: "string", default: "demo" },
  tool: { type: "string", default: "command" },
  path: { type: "string", default: "README.md" },
  "events-per-write": { type: "string" },
  "gap-ms": { type: "string" },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const model = await startScriptedModel({ script: chooseScript(values), port: wholeNumber("--port", values.port) });
  process.stdout.write(`${model.url}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void model.close());
}

function chooseScript(values: Values): ScriptFunction {
  const [name, count] = values.script.split("=", 2);
  switch (name) {
    case "demo":
      return demoScript;
    case "echo":
      return echo;
    case "long": {
      const perWrite = values["events-per-write"];
      const gap = values["gap-ms"];
      return longAnswer(wholeNumber("--script long", count), {
        ...(perWrite && { eventsPerWrite: wholeNumber("--events-per-write", perWrite) }),
        ...(gap && { gapMs: wholeNumber("--gap-ms", gap) }),
      });
    }
    case "tool-turns":
      return toolTurns(wholeNumber("--script tool-turns", count), {
        tool: values.tool === "read" ? "read" : "command",
        path: values.path,
      });
    default:
      throw new Error(`There is no script "${values.script}"; see --help.`);
  }
}

function wholeNumber(option: string, text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text)) throw new Error(`${option} needs a whole number; see --help.`);
  return Number(text);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`scripted model: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
