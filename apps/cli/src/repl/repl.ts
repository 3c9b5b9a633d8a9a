import type { SessionUpdate } from "@loom/agent";
import type { Invocation } from "../command-line/specification.ts";
import { type Connection, connect } from "../connection.ts";
import { type Conversation, openConversation } from "../conversation.ts";
import { splitEnvironment } from "../environment.ts";
import { type ExitName, exitCodeOf } from "../exit-codes.ts";
import { describeFailure } from "../failure.ts";
import { StandardOutput } from "../output/standard-output.ts";
import { terminalText } from "../output/terminal-text.ts";
import { RunStop } from "../run-stop.ts";
import type { SessionSync } from "../session-sync.ts";
import { loadSettings, type Settings } from "../settings.ts";
import type { ThreadChoice } from "../thread-access.ts";
import { LineInput } from "./line-input.ts";
import { Screen } from "./screen.ts";

const FLUSH_MS = 2_000;

const HELP = [
  "Type what you want done. While the agent works, what you type is given to it at the next step.",
  "  /model [NAME]  show the models, or go on with another one",
  "  /help          this help",
  "  /exit          leave; the thread is saved",
  "Ctrl+C stops the turn, twice leaves; Ctrl+D leaves.",
].join("\n");

/** A conversation in the terminal, until the person leaves; then the thread is saved. */
export async function runRepl(invocation: Invocation, choice: ThreadChoice): Promise<never> {
  const stop = new RunStop();
  const settings = await loadSettings(invocation);
  const output = new StandardOutput(() => stop.stop({ exit: "output_closed", message: "The terminal is gone." }));
  const screen = new Screen(output, process.env);
  const { withKeys, forChildren } = splitEnvironment();
  const connection = await connect(settings, withKeys);
  const sync = await syncFor(settings, screen);
  let exit: ExitName;
  try {
    exit = await new Repl({ settings, connection, environment: forChildren, screen, stop, sync }).run(choice);
  } catch (error) {
    const failure = await describeFailure(error);
    screen.problem(failure.message);
    exit = failure.exit;
  }
  await connection.close();
  await output.flush(FLUSH_MS);
  process.exit(exitCodeOf(exit));
}

async function syncFor(settings: Settings, screen: Screen): Promise<SessionSync | undefined> {
  if (settings.config.get("server.url") === "") return undefined;
  const { SessionSync } = await import("../session-sync.ts");
  return new SessionSync(settings, (notice) => screen.aside(`  ${terminalText(notice)}`));
}

type Parts = {
  readonly settings: Settings;
  readonly connection: Connection;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly screen: Screen;
  readonly stop: RunStop;
  /** Only where a server is configured. */
  readonly sync: SessionSync | undefined;
};

class Repl {
  readonly #parts: Parts;
  readonly #input: LineInput;
  readonly #left: Promise<ExitName>;
  #leave: (exit: ExitName) => void = () => undefined;
  #conversation: Conversation | undefined;
  /** Ctrl+C was pressed and nothing was said since. */
  #interrupted = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#input = new LineInput({
      onText: (text) => void this.#onText(text.trim()),
      onInterrupt: () => this.#onInterrupt(),
      onEnd: () => this.#leave("ok"),
    });
  }

  async run(choice: ThreadChoice): Promise<ExitName> {
    const { screen, stop, settings } = this.#parts;
    process.on("SIGINT", () => this.#onInterrupt());
    for (const [signal, exit] of [
      ["SIGTERM", "terminated"],
      ["SIGHUP", "hangup"],
    ] as const) {
      process.on(signal, () => stop.stop({ exit, message: `Stopped by ${signal}.` }));
    }
    stop.signal.addEventListener("abort", () => this.#leave(stop.reason?.exit ?? "failed"));
    screen.aside(`Loom in ${terminalText(settings.workspace)}; /help for help.`);
    this.#open(choice);
    this.#parts.sync?.kick();
    this.#prompt();
    const exit = await this.#left;
    this.#input.close();
    return this.#save(exit);
  }

  #open(choice: ThreadChoice, model?: string): void {
    const { settings, connection, environment, screen, stop } = this.#parts;
    const onUpdate = (update: SessionUpdate) => this.#onUpdate(update);
    const options = { settings, connection, choice, environment, onUpdate, signal: stop.signal };
    const conversation = openConversation(model === undefined ? options : { ...options, model });
    this.#conversation = conversation;
    for (const notice of conversation.notices) screen.aside(`  ${terminalText(notice)}`);
  }

  #onUpdate(update: SessionUpdate): void {
    this.#parts.screen.update(update);
    // The machine goes on by itself where input was waiting.
    if (update.type !== "turn_ended") return;
    this.#parts.sync?.kick(this.#conversation?.session.threadId);
    setImmediate(() => this.#isResting() && this.#promptAfterTurn());
  }

  #promptAfterTurn(): void {
    const waiting = this.#conversation?.session.state.context.queued.length ?? 0;
    if (waiting > 0) this.#parts.screen.aside("  What you typed meanwhile goes along with what you say next.");
    this.#prompt();
  }

  #prompt(): void {
    this.#parts.screen.push();
    this.#input.prompt();
  }

  #isResting(): boolean {
    return this.#conversation?.session.state.type === "waiting_for_user_input";
  }

  async #onText(text: string): Promise<void> {
    this.#interrupted = false;
    const [word = "", ...rest] = text.split(/\s+/);
    try {
      if (text === "") this.#prompt();
      else if (word === "/exit" || word === "/quit") this.#leave("ok");
      else if (word === "/help") this.#say(HELP);
      else if (word === "/model") await this.#onModel(rest.join(" "));
      else if (/^\/\w*$/.test(word)) this.#say(`There is no command ${terminalText(word)}; /help shows what there is.`);
      else void this.#conversation?.session.send([{ type: "text", text }]);
    } catch (error) {
      this.#parts.screen.problem((await describeFailure(error)).message);
      this.#prompt();
    }
  }

  #say(text: string): void {
    this.#parts.screen.aside(text);
    this.#prompt();
  }

  async #onModel(name: string): Promise<void> {
    const conversation = this.#conversation;
    if (conversation === undefined) return;
    if (name === "") return this.#say(await this.#models(conversation.agentSettings.model));
    if (!this.#isResting()) return this.#say("The agent is working: change the model when it is done.");
    const { threadId } = conversation.session;
    await conversation.close();
    const begun = conversation.hasBegun() && threadId !== undefined;
    this.#open(begun ? { type: "named", text: threadId, fork: false, here: true } : { type: "new" }, name);
    this.#say(`The model is now ${terminalText(name)}.`);
  }

  async #models(current: string): Promise<string> {
    const { providers } = await this.#parts.connection.client.models({ signal: AbortSignal.timeout(10_000) });
    const rows = providers.map(({ name, configured, defaultModel, fastModel }) =>
      configured
        ? `  ${name}: default ${defaultModel ?? "not known"}, fast ${fastModel ?? "not known"}`
        : `  ${name}: not set up`,
    );
    return terminalText([`The model is ${current}.`, ...rows].join("\n"));
  }

  #onInterrupt(): void {
    if (this.#interrupted) this.#leave("interrupted");
    else if (this.#isResting()) this.#say("Ctrl+C again leaves.");
    else this.#conversation?.session.interrupt();
    this.#interrupted = true;
  }

  async #save(exit: ExitName): Promise<ExitName> {
    const conversation = this.#conversation;
    if (conversation === undefined) return exit;
    const { screen } = this.#parts;
    const end = await conversation.close();
    await this.#parts.sync?.close(conversation.session.threadId);
    if (end.unsaved !== undefined) {
      screen.problem(end.unsaved.message);
      return exit === "ok" ? "not_saved" : exit;
    }
    if (conversation.hasBegun()) screen.aside(`Saved. Go on with: loom resume ${conversation.session.threadId}`);
    return exit;
  }
}
