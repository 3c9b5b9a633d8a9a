import { join } from "node:path";
import { ConfigError, type Secret } from "@loom/config";
import type { ServerConfig } from "./config.ts";
import type { AuditConfig } from "./features/audit/audit-config.ts";
import { buildFeatures } from "./features/index.ts";
import type { MailConfig } from "./features/mail/mail-config.ts";
import type { SignInConfig } from "./features/sign-in/sign-in-config.ts";
import { AuditLine } from "./kit/audit.ts";
import { authenticateOne } from "./kit/auth.ts";
import { connectionBound } from "./kit/connection-bound.ts";
import { type Database, type DatabasePlace, openDatabase } from "./kit/database.ts";
import { DatabaseError } from "./kit/database-error.ts";
import { createDispatcher } from "./kit/dispatcher.ts";
import { createGrowingRedactor } from "./kit/growing-redactor.ts";
import { isLoopbackName } from "./kit/host-check.ts";
import { type Job, startJobs } from "./kit/jobs.ts";
import { type Listener, listen } from "./kit/listener.ts";
import { createLog, type Log, type LogLevel, SILENT_LOG } from "./kit/log.ts";
import { createMetrics } from "./kit/metrics.ts";
import { authorizeByScope } from "./kit/policy.ts";
import type { PostgresAddress } from "./kit/postgres-address.ts";
import { defineProcessMetrics } from "./kit/process-metrics.ts";
import { createWebAddress } from "./kit/web-address.ts";
import { secretsOfProviders } from "./provider-config.ts";
import { VERSION } from "./version.ts";

export type ServerOptions = {
  readonly config: ServerConfig;
  readonly access: ServerAccess;
  /** Default: the loopback interface, a free port. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Holds the ledger's journal and, unless there is a `postgres`, `loom-server.sqlite`. Without it the server keeps nothing. */
  readonly dataDirectory?: string | undefined;
  /** The database, in place of a file. */
  readonly postgres?: PostgresAddress | undefined;
  /** With whom people sign in, and for how long; default: with nobody. */
  readonly signIn?: SignInConfig | undefined;
  /** How mail to people goes out; without it, none does. */
  readonly mail?: MailConfig | undefined;
  /** Of a server that stays. Default: what an empty environment says. */
  readonly audit?: AuditConfig | undefined;
  /** Default: no log. */
  readonly log?: { readonly level: LogLevel; readonly destination: { readonly file: string } | "stdout" } | undefined;
  /**
   * Takes rows of the ledger, lines of JSON, that no disk took when the server ends, with a sentence that says what to do with
   * them; gives whether it did. Default: such rows are lost, which the log says.
   */
  readonly saveElsewhere?: ((sentence: string, lines: Buffer) => Promise<boolean>) | undefined;
  /** Milliseconds of silence towards a client after which a keep-alive is sent. Default 15,000. */
  readonly keepAliveMs?: number | undefined;
};

export type ServerAccess =
  /** One token, known to whoever starts the server and kept in memory only. */
  | { readonly type: "token"; readonly token: Secret }
  /** The owner's token, made at the first start and written to `tokenFile`; `replace` makes a new one. */
  | { readonly type: "owner"; readonly tokenFile: string; readonly replace: boolean };

export type RunningServer = {
  /** e.g. `http://127.0.0.1:41234` */
  readonly url: string;
  /** Whether this start made the owner's token. */
  readonly mintedOwnerToken: boolean;
  /** Whether there was a provider to ask at the start. */
  readonly hasProvider: boolean;
  /** What whoever started it has to know of at the start; in the log, too. */
  readonly warnings: readonly string[];
  /** Goes on in a new log file: somebody has moved the old one away. */
  reopenLog(): void;
  /**
   * Takes no more requests, waits up to `drainMs` (default 0) for those that are being answered, ends the rest with an
   * error in their streams, and closes everything. Can be called twice.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
};

export const DATABASE_FILE = "loom-server.sqlite";

const FULL = "no more connections are taken: raise the limit of open files (ulimit -n, LimitNOFILE)";

/** A command of one turn is over by then; a server that stays has its database ready before it is needed. */
const WARM_UP_MS = 2_000;

/** Between two attempts to open a database: while a file is locked, each holds up this process for seconds. */
const REOPEN_MS = { file: 30_000, postgres: 1_000 };

/**
 * Starts a server in this process. Touches neither signals nor the environment nor the standard streams (but for a log
 * to standard output, if asked).
 * @throws ConfigError, DatabaseError, TokenFileError, or Node's own error where the port cannot be opened.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, access, dataDirectory, postgres } = options;
  const { redact, conceal } = createGrowingRedactor(secretsOf(options));
  const log = options.log === undefined ? SILENT_LOG : await createLog({ ...options.log, redact });
  const metrics = createMetrics();
  defineProcessMetrics(metrics, VERSION);
  const database = lazyDatabase(placeOf(dataDirectory, postgres));
  const state = { stopping: false };
  const audit = new AuditLine();
  const kit = { log, metrics, audit, redact, database: database.open };
  const isStopping = (): boolean => state.stopping;
  const { host, port } = options.listen ?? { host: "127.0.0.1", port: 0 };
  if (options.signIn !== undefined) await requireFitting(options.signIn, { ...config, host });
  const web = createWebAddress({ publicUrl: config.publicUrl, host, tls: options.tls !== undefined });
  const features = await buildFeatures(kit, {
    config,
    web,
    signIn: options.signIn,
    version: VERSION,
    hasOwner: access.type === "owner",
    dataDirectory,
    keepAliveMs: options.keepAliveMs,
    mail: options.mail,
    audit: options.audit,
    saveElsewhere: options.saveElsewhere,
    isStopping,
    conceal,
  });

  if (features.shared?.audit !== undefined) audit.connect(features.shared.audit);
  if (features.shared !== undefined) audit.tell(features.shared.hear);

  const dispatcher = createDispatcher({
    routes: features.all.flatMap((each) => each.routes),
    rawRoutes: features.all.flatMap((each) => each.rawRoutes),
    hosts: {
      names: [host.toLowerCase(), ...config.allowedHosts],
      anyAddress: !isLoopbackName(host),
      origins: config.allowedOrigins,
      ownOrigin: web.originOf,
    },
    browsers: features.shared && { secure: web.secure, authenticate: features.shared.authenticateBrowser },
    authenticate: access.type === "token" ? authenticateOne(access.token) : (features.shared?.authenticate ?? nobody),
    authorize: features.shared?.authorize ?? authorizeByScope,
    audit,
    isTrustedProxy: config.isTrustedProxy,
    isStopping,
    log,
    metrics,
  });

  let mintedOwnerToken = false;
  let listener: Listener;
  try {
    if (access.type === "owner") {
      const { tokenFile: file, replace } = access;
      mintedOwnerToken = (await features.shared?.start({ file, replace })) === true;
      const failed = (error: unknown) => log.warn("what a crash left is not brought in yet", { error: String(error) });
      await features.ledger.services.recoverLost().catch(failed);
    }
    const maxConnections = connectionBound();
    let turnedAway = 0;
    listener = await listen({
      ...{ host, port, tls: options.tls, handle: dispatcher.handle, plain: dispatcher.plain, maxConnections },
      onFull() {
        turnedAway += 1;
        // At first, and then ever more rarely.
        if (Number.isInteger(Math.log2(turnedAway))) log.warn(FULL, { maxConnections, turnedAway });
      },
    });
  } catch (error) {
    await database.close();
    await log.close();
    throw error;
  }
  const jobs = startJobs(
    features.all.flatMap((each) => each.jobs),
    log,
    { claim: access.type === "owner" ? claimWith(database.open) : undefined },
  );
  const beside = access.type === "owner" && postgres === undefined ? await marked(dataDirectory, log) : undefined;
  const warmUp = access.type === "owner" ? setTimeout(() => database.warmUp(log.warn), WARM_UP_MS).unref() : undefined;
  log.info("listening", { url: listener.url, version: VERSION });

  let closing: Promise<void> | undefined;
  return {
    url: listener.url,
    mintedOwnerToken,
    hasProvider: features.config.defaultProvider !== undefined,
    warnings: beside?.warnings ?? [],
    reopenLog: () => log.reopen(),
    close({ drainMs = 0 } = {}) {
      closing ??= (async () => {
        state.stopping = true;
        const beganAt = performance.now();
        clearTimeout(warmUp);
        await Promise.all([jobs.stop(), listener.close({ drainMs, abort: dispatcher.abortOpen })]);
        // No connection is left; whatever runs nevertheless is accounted for before the books are closed.
        dispatcher.abortOpen();
        features.gateway.services.close();
        const { ledger } = features.ledger.services;
        await ledger.close({ patienceMs: Math.max(0, drainMs - (performance.now() - beganAt)) });
        const isSaved = (await features.shared?.stop()) === true;
        const isSettled = isSaved && ledger.state.unwrittenRows === 0 && ledger.state.droppedRows === 0;
        features.shared?.lost?.trace.close({ isSettled });
        await database.close();
        beside?.remove();
        log.info("closed");
        await log.close();
      })();
      return closing;
    },
  };
}

/** @throws ConfigError where people could not sign in safely. */
async function requireFitting(
  { developmentUser, providers }: SignInConfig,
  server: Pick<ServerConfig, "publicUrl" | "isTrustedProxy"> & { readonly host: string },
): Promise<void> {
  if (developmentUser !== undefined) {
    (await import("./features/sign-in/development-mode.ts")).requireOwnMachine(server);
  }
  const { publicUrl = "" } = server;
  if (providers.length > 0 && publicUrl.startsWith("http:") && !isLoopbackName(new URL(publicUrl).hostname)) {
    throw new ConfigError("People sign in by https only: LOOM_SERVER_PUBLIC_URL has to begin with https://.");
  }
}

function secretsOf({ config, access, postgres, mail, signIn, audit }: ServerOptions): Secret[] {
  const keys = secretsOfProviders(config.providers);
  const masterKey = config.masterKey === undefined ? [] : [config.masterKey];
  const password = postgres?.password === undefined ? [] : [postgres.password];
  const mailPassword = mail?.transport === "smtp" && mail.login !== undefined ? [mail.login.password] : [];
  const auditKey = audit?.key === undefined ? [] : [audit.key];
  const ofProviders = signIn?.providers.map(({ clientSecret }) => clientSecret) ?? [];
  return [
    ...keys,
    ...masterKey,
    ...password,
    ...mailPassword,
    ...auditKey,
    ...ofProviders,
    ...(access.type === "token" ? [access.token] : []),
  ];
}

/** Other servers on one SQLite file know nothing of each other's rates. */
async function marked(directory: string | undefined, log: Log) {
  if (directory === undefined) return undefined;
  const { besideOthers, markServer } = await import("./kit/server-marks.ts");
  try {
    const { others, remove } = markServer(directory);
    const warnings = others.length === 0 ? [] : [besideOthers(others, directory)];
    for (const sentence of warnings) log.warn(sentence);
    return { warnings, remove };
  } catch (error) {
    log.warn("whether other servers run on the data directory is not known", { error: String(error) });
    return undefined;
  }
}

function nobody(): undefined {}

function claimWith(database: () => Promise<Database>) {
  return async (job: Job): Promise<boolean> => {
    const [{ claimJob }, opened] = await Promise.all([import("./kit/job-claims.ts"), database()]);
    return claimJob(job, opened, Date.now());
  };
}

function placeOf(directory: string | undefined, postgres: PostgresAddress | undefined): DatabasePlace | undefined {
  if (postgres !== undefined) return { postgres };
  return directory === undefined ? undefined : { file: join(directory, DATABASE_FILE) };
}

async function openWithTables(place: DatabasePlace): Promise<Database> {
  const { MIGRATIONS } = await import("./features/migrations.ts");
  return openDatabase({ ...place, migrations: MIGRATIONS });
}

function lazyDatabase(place: DatabasePlace | undefined) {
  let opening: Promise<Database> | undefined;
  const open = (): Promise<Database> => {
    if (place === undefined) {
      return Promise.reject(new DatabaseError("This server was started without a data directory."));
    }
    opening ??= openWithTables(place).catch((error: unknown) => {
      const pause = "file" in place ? REOPEN_MS.file : REOPEN_MS.postgres;
      setTimeout(() => {
        opening = undefined;
      }, pause).unref();
      throw error;
    });
    return opening;
  };
  return {
    open,
    warmUp(warn: (message: string) => void): void {
      if (place !== undefined) open().catch((error: unknown) => warn(String(error)));
    },
    async close(): Promise<void> {
      const database = await opening?.catch(() => undefined);
      await database?.close();
    },
  };
}
