import { parseArgs } from "node:util";
import { machine, table } from "../markdown.ts";
import { writeBetweenMarkers } from "../write-docs.ts";
import { benchLive } from "./live.ts";
import { benchSearch } from "./search.ts";

const HELP = `npm run bench:threads -- [options]
  --only live|search   one of the two; default: both
  --clients N          who append five events a second each (200)
  --listeners N        who follow a thread each (50)
  --seconds N          how long (60)
  --messages N         size of the corpus to search in (1000000, about 2 GB)
  --bundle FILE        another loom-server.mjs than dist/loom-server.mjs
  --write-docs         put the tables into docs/benchmarks.md`;

const DOCS = new URL("../../docs/benchmarks.md", import.meta.url).pathname;

// Their listeners of "exit" remove what was made; a signal alone would not call them.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      clients: { type: "string", default: "200" },
      listeners: { type: "string", default: "50" },
      seconds: { type: "string", default: "60" },
      messages: { type: "string", default: "1000000" },
      bundle: { type: "string", default: new URL("../../dist/loom-server.mjs", import.meta.url).pathname },
      "write-docs": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [clients, listeners, seconds, messages] = [
    values.clients,
    values.listeners,
    values.seconds,
    values.messages,
  ].map(Number);
  if (![clients, listeners, seconds, messages].every((each) => Number.isInteger(each) && Number(each) > 0)) {
    console.error(`A number is none.\n${HELP}`);
    return 2;
  }
  const rows: string[][] = [["figure", "measured", "bar", ""]];
  if (values.only !== "search") {
    rows.push(
      ...(await benchLive({
        clients: clients ?? 0,
        listeners: listeners ?? 0,
        seconds: seconds ?? 0,
        bundle: values.bundle,
      })),
    );
  }
  if (values.only !== "live") rows.push(...(await benchSearch(messages ?? 0)));
  const text = `Measured with \`npm run bench:threads\` on ${machine()}.\n\n${table(rows)}`;
  console.log(`\n${text}`);
  if (values["write-docs"]) writeBetweenMarkers(DOCS, text, "threads");
  return 0;
}
