import { readFileSync } from "node:fs";
import { ConfigError } from "@loom/config";
import { HELP, parseCommandLine, type ServerCommand } from "./command-line.ts";
import { takeServerConfig } from "./config.ts";
import { takeDatabaseAddress } from "./database-config.ts";
import { takeAuditConfig } from "./features/audit/audit-config.ts";
import { takeMailConfig } from "./features/mail/mail-config.ts";
import { takeSignInConfig } from "./features/sign-in/sign-in-config.ts";
import { describeStartError } from "./start-error.ts";
import { type WatchedEnvironment, watched } from "./unused-variables.ts";
import { UsageError } from "./usage-error.ts";
import { VERSION } from "./version.ts";

/** 0: stopped when asked to. The others are those of `loom`. */
const EXIT = { failed: 1, usage: 2, configuration: 3, crashed: 70 } as const;

type RunCommand = Extract<ServerCommand, { type: "run" }>;

function say(sentence: string): void {
  process.stderr.write(`loom-server: ${sentence}\n`);
}

/** Gives whether it all got there: the standard error may be a file on the disk that is full, too. */
async function sayWithLines(sentence: string, lines: Buffer): Promise<boolean> {
  const ignore = (): void => undefined;
  process.stderr.on("error", ignore);
  say(sentence);
  return new Promise((resolve) => process.stderr.write(lines, (error) => resolve(!error)));
}

const BALLAST_BYTES = 64 * 1024 * 1024;
/** Never written to, so the system gives it no page; V8 counts it all the same, as long as this process lives. */
const ballast: ArrayBuffer[] = [];

/**
 * The bodies of prompts lie outside of V8's heap. By itself it collects the whole heap each time that some megabytes of
 * them have come by. With the flag it weighs them with everything else, and with a ballast in the scales, prompts of
 * 256 KB cause a twentieth of these collections.
 */
function rarelyCollect(): void {
  if (!process.versions.node.startsWith("24.")) return;
  process.getBuiltinModule("node:v8").setFlagsFromString("--external-memory-accounted-in-global-limit");
  ballast.push(new ArrayBuffer(BALLAST_BYTES));
}

async function run(command: RunCommand, { env, unused }: WatchedEnvironment): Promise<void> {
  const config = takeServerConfig(env, { warn: say });
  const postgres = takeDatabaseAddress(env, { warn: say });
  const mail = takeMailConfig(env, { warn: say });
  const audit = takeAuditConfig(env, { warn: say });
  const signIn = takeSignInConfig(env, { warn: say });
  for (const sentence of unused()) say(sentence);
  rarelyCollect();
  // Node would open a debugger, which shows all keys to whoever connects.
  process.on("SIGUSR1", () => undefined);
  let reopenLog = (): void => {};
  // It would end the process otherwise.
  process.on("SIGHUP", () => reopenLog());
  const { startServer } = await import("./server.ts");
  const server = await startServer({
    config,
    access: { type: "owner", tokenFile: command.ownerTokenFile, replace: command.resetOwnerToken },
    listen: command.listen,
    tls: command.tls && { cert: pem(command.tls.certFile), key: pem(command.tls.keyFile) },
    dataDirectory: command.dataDirectory,
    postgres,
    mail,
    audit,
    signIn,
    saveElsewhere: sayWithLines,
    log: {
      level: command.logLevel,
      destination: command.logFile === undefined ? "stdout" : { file: command.logFile },
    },
  });
  reopenLog = () => server.reopenLog();
  if (server.mintedOwnerToken) say(`The owner's token is in ${command.ownerTokenFile}; only this account can read it.`);
  for (const sentence of server.warnings) say(sentence);
  if (!server.hasProvider) {
    say(
      "No model provider is set up: set ANTHROPIC_API_KEY, OPENAI_API_KEY, or LOOM_OPENAI_BASE_URL for local models, or store a key with loom-server credential add.",
    );
  }

  let stopping = false;
  const stop = (signal: "SIGTERM" | "SIGINT"): void => {
    if (stopping) process.exit(signal === "SIGTERM" ? 143 : 130);
    stopping = true;
    say("Stopping; once more to stop at once.");
    server.close({ drainMs: command.drainMs }).then(
      () => process.exit(0),
      (error: unknown) => crash(error),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Last: whoever reads it may stop the server at once.
  say(`Listening on ${server.url}.`);
}

function pem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new ConfigError(`The file ${file} for TLS cannot be read (${code}).`);
  }
}

/** A mistake of ours. Only its name and place: a message may quote what it failed on. */
function crash(error: unknown): never {
  const stack = error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  say(`Stopped by a mistake of its own (${error instanceof Error ? error.name : typeof error}).`);
  process.stderr.write(`${stack.join("\n")}\n`);
  process.exit(EXIT.crashed);
}

function fail(error: unknown): void {
  if (error instanceof UsageError) {
    say(error.message);
    process.exitCode = EXIT.usage;
    return;
  }
  if (error instanceof ConfigError) {
    say(error.message);
    process.exitCode = EXIT.configuration;
    return;
  }
  const sentence = describeStartError(error);
  if (sentence === undefined) crash(error);
  say(sentence);
  process.exitCode = EXIT.failed;
}

async function main(): Promise<void> {
  process.on("uncaughtException", crash);
  try {
    const [first, ...rest] = process.argv.slice(2);
    if (first === "token") {
      const { runTokenCommand } = await import("./token-command.ts");
      await runTokenCommand(rest, process.env, { print: (text) => void process.stdout.write(text), say });
      return;
    }
    if (first === "budget") {
      const { runBudgetCommand } = await import("./budget-command.ts");
      await runBudgetCommand(rest, process.env, { print: (text) => void process.stdout.write(text), say });
      return;
    }
    if (first === "db") {
      const { runDbCommand } = await import("./db-command.ts");
      await runDbCommand(rest, process.env, { print: (text) => void process.stdout.write(text), say });
      return;
    }
    if (first === "policy") {
      const { runPolicyCommand } = await import("./policy-command.ts");
      await runPolicyCommand(rest, process.env, { print: (text) => void process.stdout.write(text), say });
      return;
    }
    if (first === "credential") {
      const { runCredentialCommand } = await import("./credential-command.ts");
      await runCredentialCommand(rest, process.env, {
        print: (text) => void process.stdout.write(text),
        say,
        input: process.stdin,
      });
      return;
    }
    if (first === "route") {
      const { runRouteCommand } = await import("./route-command.ts");
      await runRouteCommand(rest, process.env, { print: (text) => void process.stdout.write(text), say });
      return;
    }
    if (first === "audit") {
      const { runAuditCommand } = await import("./audit-command.ts");
      process.exitCode = await runAuditCommand(rest, process.env, {
        print: (text) => void process.stdout.write(text),
        say,
      });
      return;
    }
    if (first === "mail") {
      const { runMailCommand } = await import("./mail-command.ts");
      const output = { print: (text: string) => void process.stdout.write(text), say };
      process.exitCode = await runMailCommand(rest, process.env, output);
      return;
    }
    const variables = watched(process.env);
    const command = parseCommandLine(process.argv.slice(2), variables.env);
    if (command.type === "help") process.stdout.write(HELP);
    else if (command.type === "version") process.stdout.write(`loom-server ${VERSION}\n`);
    else await run(command, variables);
  } catch (error) {
    fail(error);
  }
}

void main();
