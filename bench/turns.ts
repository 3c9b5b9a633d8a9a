import { type Command, RunFailed } from "./command.ts";
import type { Measurements } from "./measurements.ts";
import { memoryRun } from "./memory-run.ts";
import { type BenchModel, DELTA, type Exchange, type Scenario, SHELL_COMMAND } from "./model.ts";
import { eachRound, median } from "./statistics.ts";
import { environment, type Place, type Subject } from "./subject.ts";
import { type Timing, timedRun } from "./timed-run.ts";

/** An agent in its place. A slow one runs in a quarter of the rounds: it would take most of the bench's time. */
export type Entrant = { readonly subject: Subject; readonly place: Place; readonly slow: boolean };

export type TurnOptions = {
  readonly entrants: readonly Entrant[];
  readonly model: BenchModel;
  readonly measurements: Measurements;
  readonly rounds: number;
};

const FEW_DELTAS = 8;
const MANY_DELTAS = 10_000;
const MANY_TURNS = 20;
const SLOW_SECONDS = 2.5;
const COMMAND_REPEATS = 20;
const PROMPT = "Run the command and say what it printed.";

/** One tool call and a final text: wall and CPU time, time to the first request and its size. */
export async function measureOneTurn({ entrants, model, measurements, rounds }: TurnOptions): Promise<void> {
  await eachEntrant(entrants, rounds, async ({ subject, place }) => {
    const { timing, exchanges } = await run(subject, place, model, { toolTurns: 1, deltas: FEW_DELTAS });
    measurements.add("turn_wall", subject.name, timing.wall * 1000);
    measurements.add("turn_cpu", subject.name, timing.cpu * 1000);
    const [first] = exchanges;
    measurements.add("first_request_after", subject.name, (first?.requestStartedAt ?? Number.NaN) - timing.startedAt);
    measurements.add("first_request_bytes", subject.name, first?.requestBytes ?? Number.NaN);
  });
}

/**
 * Twenty tool calls one after the other: what the agent takes between the end of an answer and its next request, with the
 * command and without. What the command takes is measured right before each run, so that both meet the same machine.
 */
export async function measureManyTurns({ entrants, model, measurements, rounds }: TurnOptions): Promise<void> {
  await eachEntrant(entrants, rounds, async ({ subject, place }) => {
    const command = await commandMs(place);
    const { timing, exchanges } = await run(subject, place, model, { toolTurns: MANY_TURNS, deltas: FEW_DELTAS });
    const gap = median(gaps(exchanges));
    measurements.add("shell_command_wall", "bash", command);
    measurements.add("twenty_turns_wall", subject.name, timing.wall * 1000);
    measurements.add("tool_turn_gap", subject.name, gap);
    measurements.add("tool_turn_overhead", subject.name, gap - command);
    const sent = exchanges.reduce((sum, { requestBytes }) => sum + requestBytes, 0);
    measurements.add("twenty_turns_sent_bytes", subject.name, sent);
  });
}

/** What 10,000 pieces of text cost over 8 pieces, in CPU time. */
export async function measureDeltasCpu({ entrants, model, measurements, rounds }: TurnOptions): Promise<void> {
  await eachEntrant(entrants, rounds, async ({ subject, place }) => {
    const few = await run(subject, place, model, { toolTurns: 0, deltas: FEW_DELTAS });
    const many = await run(subject, place, model, { toolTurns: 0, deltas: MANY_DELTAS });
    measurements.add("deltas_extra_cpu", subject.name, (many.timing.cpu - few.timing.cpu) * 1000);
  });
}

/** Peak memory of the process tree: a turn with one tool call, and 10,000 pieces of text over 8. */
export async function measureMemory({ entrants, model, measurements, rounds }: TurnOptions): Promise<void> {
  await eachEntrant(entrants, rounds, async ({ subject, place }) => {
    const peak = (scenario: Scenario) =>
      orOnceMore(() => {
        model.begin(scenario);
        return memoryRun(subject.turn(place, PROMPT));
      });
    const turn = await peak({ toolTurns: 1, deltas: FEW_DELTAS });
    measurements.add("turn_rss", subject.name, turn.rss);
    measurements.add("turn_pss", subject.name, turn.pss);
    const few = await peak({ toolTurns: 0, deltas: FEW_DELTAS });
    const many = await peak({ toolTurns: 0, deltas: MANY_DELTAS });
    measurements.add("deltas_extra_rss", subject.name, many.rss - few.rss);
    measurements.add("deltas_extra_pss", subject.name, many.pss - few.pss);
  });
}

/**
 * Runs the agent once, unmeasured: it fills its caches and proves that it works at all. What takes long then is run again,
 * to see whether it is the agent that is slow. Throws `RunFailed` if it does not work.
 */
export async function enter(subject: Subject, place: Place, model: BenchModel): Promise<Entrant> {
  subject.prepare(place);
  const seconds = async () => (await run(subject, place, model, { toolTurns: 1, deltas: FEW_DELTAS })).timing.wall;
  const slow = (await seconds()) > SLOW_SECONDS && (await seconds()) > SLOW_SECONDS;
  return { subject, place, slow };
}

type Run = { readonly timing: Timing; readonly exchanges: readonly Exchange[] };

async function run(subject: Subject, place: Place, model: BenchModel, scenario: Scenario): Promise<Run> {
  const command = subject.turn(place, PROMPT);
  return orOnceMore(() => timedTurn(command, model, scenario));
}

/**
 * Interleaved rounds. A peer that fails twice in a row takes no further part in these: what it has not shown is missing in the
 * table. Loom has no such excuse.
 */
async function eachEntrant(
  entrants: readonly Entrant[],
  rounds: number,
  measure: (entrant: Entrant) => Promise<void>,
): Promise<void> {
  const out = new Set<Entrant>();
  await eachRound(entrants, rounds, async (entrant) => {
    if (out.has(entrant)) return;
    try {
      await measure(entrant);
    } catch (error) {
      if (!(error instanceof RunFailed) || entrant.subject.name === "loom") throw error;
      console.log(`${entrant.subject.name} failed twice and is left out here: ${error.message}`);
      out.add(entrant);
    }
  });
}

/** Ten minutes of measurements must not be lost to one run that failed on a busy machine; two in a row are a reason. */
async function orOnceMore<T>(measure: () => Promise<T>): Promise<T> {
  try {
    return await measure();
  } catch (error) {
    if (!(error instanceof RunFailed)) throw error;
    console.log(`A run failed and is done again: ${error.message}`);
    return measure();
  }
}

async function timedTurn(command: Command, model: BenchModel, scenario: Scenario): Promise<Run> {
  model.begin(scenario);
  const timing = await timedRun(command);
  const exchanges = model.exchanges().filter((exchange) => exchange.offersTools);
  if (exchanges.length !== scenario.toolTurns + 1) {
    throw new RunFailed(command, `It sent ${exchanges.length} requests, not ${scenario.toolTurns + 1}`, timing.stdout);
  }
  if (!timing.stdout.includes(DELTA.repeat(scenario.deltas))) {
    throw new RunFailed(command, "It did not print the model's answer", timing.stdout);
  }
  return { timing, exchanges };
}

function gaps(exchanges: readonly Exchange[]): readonly number[] {
  return exchanges.slice(1).map((next, index) => {
    return next.requestStartedAt - (exchanges[index]?.responseFinishedAt ?? Number.NaN);
  });
}

/**
 * The command alone in a shell, in milliseconds. Started by another small shell: a fork takes the longer the more memory
 * the forking process has, and what that costs an agent belongs to the agent.
 */
async function commandMs(place: Place): Promise<number> {
  const command = { file: "bash", args: ["-c", SHELL_COMMAND], env: environment(place), cwd: place.workspace };
  return (await timedRun(command, { repeat: COMMAND_REPEATS })).wall * 1000;
}
