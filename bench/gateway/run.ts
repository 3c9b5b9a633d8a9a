import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { machine, table } from "../markdown.ts";
import { writeBetweenMarkers } from "../write-docs.ts";
import { gatewayFigures } from "./gateway-figures.ts";
import { PEERS, type Phase, type Row, runAborts, runPhase } from "./harness.ts";
import { CHECKOUT, type MeasuredServer, startMeasuredServer } from "./measured-server.ts";
import { type GatewayBenchOptions, HELP, readOptions } from "./options.ts";

const COMMAND = "npm run build && npm run bench:gateway -- --harness DIR --write-docs";
const RESULTS = join(import.meta.dirname, "..", "results");
const PORT = 9_400;

type PhaseOfRounds = Omit<Phase, "rounds">;

const native = (name: string, args: readonly string[] = []): PhaseOfRounds => {
  return { name, phase: name, dialect: "anthropic", peers: PEERS, args };
};

/** CPU comes in rounds, with the translated request beside the same one untranslated; the rest once. */
const IN_ROUNDS: readonly PhaseOfRounds[] = [
  native("rps"),
  { name: "translated", phase: "rps", dialect: "chat", peers: ["direct"] },
  native("rps-big"),
  native("stream"),
  native("stream-hi"),
];
const PROXIES = PEERS.filter((peer) => peer !== "direct");
const ONCE: readonly PhaseOfRounds[] = [
  { ...native("open", ["--open-model", "mock-c3600-g1000-t0", "--levels", "5000"]), peers: PROXIES },
  { ...native("cancel"), peers: PROXIES },
  { ...native("slow"), peers: PROXIES },
  { ...native("verify"), peers: PROXIES },
];
/** Clients that leave in the middle, before it is judged whether memory has a plateau. */
const ABORTS = 30_000;

// Ended early, it takes what it has started along.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options === "help") {
      console.log(HELP);
      return 0;
    }
    return await benchGateway(options);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
}

async function benchGateway({ harness, rounds, only, writeDocs }: GatewayBenchOptions): Promise<number> {
  const isWanted = ({ name }: Phase): boolean => only?.includes(name) ?? true;
  const inRounds = IN_ROUNDS.map((phase) => ({ ...phase, rounds }));
  const phases: Phase[] = [...inRounds, ...ONCE.map((phase) => ({ ...phase, rounds: 1 }))].filter(isWanted);
  const rows: Row[] = [];
  for (const phase of phases) rows.push(...(await onFreshServer((server) => runPhase(harness, phase, server))));
  if (only?.includes("leak") ?? true) rows.push(await onFreshServer((server) => runAborts(harness, server, ABORTS)));
  const figures = gatewayFigures(rows);
  const text = [
    `Measured with \`${COMMAND}\` on ${machine()}; ${rounds} rounds, of CPU and latency the least of them.`,
    table([
      ["figure", "Loom", "nginx", "bare Node", "Portkey", "Loom / nginx", "Loom / bare Node", "bar", ""],
      ...figures.map(({ title, loom, nginx, node, portkey, timesNginx, timesNode, bar, holds }) => {
        const verdict = holds === undefined ? "-" : holds ? "met" : "missed";
        return [title, loom, nginx, node, portkey, timesNginx, timesNode, bar, verdict];
      }),
    ]),
  ].join("\n\n");
  console.log(`\n${text}`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, "gateway.json"), `${JSON.stringify({ machine: machine(), figures, rows }, null, 2)}\n`);
  if (writeDocs) writeBetweenMarkers(join(CHECKOUT, "docs", "benchmarks.md"), text, "gateway");
  return figures.some(({ holds }) => holds === false) ? 1 : 0;
}

/** A process of its own for each: none bears what another has left in memory. */
async function onFreshServer<Result>(work: (server: MeasuredServer) => Promise<Result>): Promise<Result> {
  const server = await startMeasuredServer(PORT);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}
