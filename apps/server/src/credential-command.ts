import type { CredentialInfo, CredentialSecret } from "@loom/api";
import { readSecretFile, takeSecret } from "@loom/config";
import { commandAudit } from "./command-audit.ts";
import { commandDatabase, onCommandDatabase } from "./command-database.ts";
import { CREDENTIAL_HELP, type CredentialCommand, parseCredentialCommand } from "./credential-command-line.ts";
import { type CredentialAdministration, createAdministration } from "./features/credentials/administration.ts";
import { CredentialError } from "./features/credentials/credential-error.ts";
import { readKeyBytes } from "./features/credentials/master-keys.ts";
import type { AuditEventName } from "./kit/audit-events.ts";
import { isBuiltIn } from "./provider-config.ts";
import { UsageError } from "./usage-error.ts";

export type CredentialCommandStreams = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
  /** Where a key is read from if no file is named. */
  readonly input: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
};

/** A key is a line, and what comes with an OAuth account is not much more. */
const MAX_INPUT_BYTES = 64 * 1024;

/**
 * `loom-server credential …`: works on the database itself, whether a server runs or not.
 * @throws UsageError, DatabaseError, ConfigError
 */
export async function runCredentialCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  streams: CredentialCommandStreams,
): Promise<void> {
  const command = parseCredentialCommand(args, env);
  if (command === undefined) {
    streams.print(CREDENTIAL_HELP);
    return;
  }
  const place = commandDatabase(command.dataDirectory, env, { mayMake: command.type === "add", warn: streams.say });
  const masterKey = takeSecret(env, "LOOM_SERVER_MASTER_KEY", { warn: streams.say });
  // Before the database: whoever is asked for a key may take a while.
  const secret = command.type === "add" ? await readCredential(command, streams) : undefined;
  await onCommandDatabase(place, async (database) => {
    const administration = createAdministration({
      database: async () => database,
      masterKey,
      directory: command.dataDirectory,
      wall: Date.now,
    });
    const record = commandAudit(command.dataDirectory, env, { warn: streams.say });
    await run(command, administration, secret, streams, (event, info) => {
      const { id, label, provider } = info ?? { id: "master-key", label: undefined, provider: undefined };
      return record(database, {
        event,
        outcome: "success",
        target: { type: "credential", id, ...(label === undefined ? {} : { name: label }) },
        details: { provider },
      });
    });
  }).catch((error: unknown) => {
    throw error instanceof CredentialError ? new UsageError(error.message) : error;
  });
}

async function run(
  command: CredentialCommand,
  administration: CredentialAdministration,
  secret: CredentialSecret | undefined,
  { print, say }: CredentialCommandStreams,
  record: (event: AuditEventName, credential?: CredentialInfo) => Promise<void>,
): Promise<void> {
  switch (command.type) {
    case "add": {
      if (secret === undefined) return;
      const { provider, label, weight } = command;
      const info = await administration.add({
        provider,
        secret,
        ...(label === undefined ? {} : { label }),
        ...(weight === undefined ? {} : { weight }),
      });
      await record("credential.added", info);
      say(`The credential ${info.label} (${info.id}) of ${provider} is stored, encrypted.`);
      if (!isBuiltIn(provider)) {
        const variable = `LOOM_SERVER_COMPATIBLE_${provider.toUpperCase().replaceAll("-", "_")}_BASE_URL`;
        say(`${provider} is no provider that Loom knows by itself: the server needs ${variable}.`);
      }
      return;
    }
    case "list": {
      const list = await administration.list();
      print(table(list));
      const problems = new Set(list.flatMap(({ problem }) => problem ?? []));
      for (const problem of problems) say(problem);
      if (problems.size > 0) say(JUDGED_HERE);
      return;
    }
    case "show": {
      const info = await administration.show(command.credential);
      print(description(info));
      if (info.problem !== undefined) say(JUDGED_HERE);
      return;
    }
    case "enable":
    case "disable": {
      const enabled = command.type === "enable";
      const info = await administration.change(command.credential, { enabled });
      await record(enabled ? "credential.enabled" : "credential.disabled", info);
      say(`The credential ${info.label} is ${command.type}d.`);
      return;
    }
    case "remove": {
      const info = await administration.remove(command.credential);
      await record("credential.deleted", info);
      say(`The credential ${info.label} is removed.`);
      return;
    }
    case "rotate-key": {
      const { newKeyFile: path } = command;
      const bytes = path === undefined ? undefined : readKeyBytes(path, "--new-key-file");
      const { count, keyId, place } = await administration.rotate(bytes);
      await record("credential.master_key_replaced");
      const what = count === 1 ? "1 credential is" : `${count} credentials are`;
      say(`${what} encrypted with the master key ${keyId} now.`);
      if (place === "directory") say("It is in the data directory; a server that runs goes on by itself.");
      else {
        say(
          "Give it to the server in LOOM_SERVER_MASTER_KEY_FILE. A server that runs goes on with what it has, but takes no new credentials until it is started with the new key.",
        );
      }
    }
  }
}

const JUDGED_HERE =
  "This is judged by the master key that this command finds: a server that runs may have been given another, or have read it before.";

async function readCredential(
  { keyFile, isOAuth }: Extract<CredentialCommand, { type: "add" }>,
  { input, say }: CredentialCommandStreams,
): Promise<CredentialSecret> {
  const text = (keyFile === undefined ? await readInput(input) : readFile(keyFile, say)).trim();
  const { credentialSecret } = await import("@loom/api/credential-schema");
  const parsed = credentialSecret.safeParse(isOAuth ? oauthOf(text) : { type: "api_key", key: text });
  if (parsed.success) return parsed.data;
  // Of what was read, only names of fields are repeated.
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") ?? "";
  if (!isOAuth) throw new UsageError("What was read is no key: a key is one line of printable characters.");
  throw new UsageError(
    `What was read is no OAuth credential${field === "" ? "" : ` (${field})`}: see loom-server credential --help.`,
  );
}

function oauthOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value, type: "oauth" } : value;
  } catch {
    throw new UsageError("What was read is no JSON: see loom-server credential --help.");
  }
}

function readFile(path: string, say: (sentence: string) => void): string {
  const { text, readableByOthers } = readSecretFile(path, "--key-file");
  if (readableByOthers) say(`${path} can be read by other users: run "chmod 600 ${path}".`);
  return text;
}

async function readInput(input: CredentialCommandStreams["input"]): Promise<string> {
  if (input.isTTY === true) {
    throw new UsageError(
      "The key would be seen on the screen: pipe it in, e.g. loom-server credential add anthropic < FILE, or name a file with --key-file.",
    );
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of input) {
    const bytes = Buffer.from(part);
    size += bytes.length;
    if (size > MAX_INPUT_BYTES) throw new UsageError("What was read is too long to be a key.");
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString("utf8");
}

function table(infos: readonly CredentialInfo[]): string {
  const rows = [
    ["LABEL", "PROVIDER", "KIND", "STATE", "WEIGHT", "FINGERPRINT"],
    ...infos.map((info) => [
      info.label,
      info.provider,
      info.kind,
      stateOf(info),
      String(info.weight),
      info.fingerprint ?? "-",
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`).join("");
}

function description(info: CredentialInfo): string {
  const lines = [
    ["label", info.label],
    ["id", info.id],
    ["provider", info.provider],
    ["kind", info.kind],
    ["state", stateOf(info)],
    ...(info.reason === null ? [] : [["reason", info.reason]]),
    ...(info.expiresAt === null ? [] : [["token ends", info.expiresAt]]),
    ["weight", String(info.weight)],
    ["SHA-256", info.fingerprint === null ? "-" : `${info.fingerprint}...`],
    ["created", info.createdAt ?? "-"],
  ];
  return lines.map(([label = "", value]) => `${label.padEnd(10)} ${value}\n`).join("");
}

function stateOf({ state, since, until }: CredentialInfo): string {
  if (state === "available") return "available";
  if (state === "disabled") return since === null ? "disabled" : `disabled since ${since}`;
  return until === null ? "cooling down" : `cooling down until ${until}`;
}
