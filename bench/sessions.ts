import { mkdtemp, rm } from "node:fs/promises";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apiKeys } from "../apps/server/src/features/api-keys/index.ts";
import { MIGRATIONS } from "../apps/server/src/features/migrations.ts";
import { people } from "../apps/server/src/features/people/index.ts";
import { sessions } from "../apps/server/src/features/sessions/index.ts";
import { takeSignInConfig } from "../apps/server/src/features/sign-in/sign-in-config.ts";
import { AuditLine } from "../apps/server/src/kit/audit.ts";
import { authenticateByAny, authenticateOne, bearerToken, mintToken } from "../apps/server/src/kit/auth.ts";
import { SESSION_COOKIE, subjectOfBrowser } from "../apps/server/src/kit/browser-session.ts";
import { createCountries } from "../apps/server/src/kit/countries.ts";
import { openDatabase } from "../apps/server/src/kit/database.ts";
import { SILENT_LOG } from "../apps/server/src/kit/log.ts";
import { createMetrics } from "../apps/server/src/kit/metrics.ts";
import type { Subject } from "../apps/server/src/kit/subject.ts";
import { machine, table } from "./markdown.ts";
import { median } from "./statistics.ts";
import { writeBetweenMarkers } from "./write-docs.ts";

/** More than there are hashes that are remembered, fewer than there are sessions that are. */
const MANY = 1_500;
/** One may have 100 keys. */
const PERSONS = 15;
const CHECKS = 6_000;
const ROUNDS = 15;
const BAR_US = 20;

type Check = () => Promise<Subject | undefined>;

/** Prints what it costs to find out who asks, where that was found out a moment before. */
export async function benchSessions({ writeDocs }: { readonly writeDocs: boolean }): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "loom-bench-"));
  const database = await openDatabase({ file: join(directory, "sessions.sqlite"), migrations: MIGRATIONS });
  try {
    const rows: string[][] = [];
    for (const [name, checks] of await checksOf(async () => database)) {
      const one = await costOf(checks.slice(0, 1));
      const many = await costOf(checks);
      rows.push([name, one.toFixed(1), many.toFixed(1), one <= BAR_US && many <= BAR_US ? "met" : "missed"]);
    }
    const head = ["CPU for a check of, µs", "one", `${MANY.toLocaleString("en")} by turns`, `bar: ${BAR_US}`];
    const text = `${machine()}; medians of ${ROUNDS} rounds of ${CHECKS.toLocaleString("en")} checks. \`npm run bench -- --sessions\`\n\n${table([head, ...rows])}`;
    console.log(text);
    if (writeDocs) writeBetweenMarkers("docs/benchmarks.md", text, "sessions");
  } finally {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  }
}

type OpenDatabase = Parameters<typeof people.build>[0]["database"];

/** As the server puts them together, for requests whose headers are read already. */
async function checksOf(database: OpenDatabase): Promise<ReadonlyMap<string, readonly Check[]>> {
  const kit = { log: SILENT_LOG, metrics: createMetrics(), audit: new AuditLine(), redact: String, database };
  const nobody = (): never => {
    throw new Error("Nobody acts in another's place here.");
  };
  const mail = { isSetUp: false, send: () => {}, settled: async () => {} };
  const filter = nobody;
  const recent = async (): Promise<void> => {};
  const { users } = people.build(kit, {
    sessions: nobody,
    attempts: nobody,
    mail,
    filter,
    requireRecent: recent,
  }).services;
  const countries = createCountries({ file: undefined, warn: () => {} });
  const limits = takeSignInConfig({}).sessions;
  const ofSessions = sessions.build(kit, { users, limits, countries }).services;
  const needs = {
    users,
    requireRecent: recent,
    filter,
    maxLifeMs: undefined,
    limits: { refreshRules: async () => {}, remove: async () => undefined },
    organizationId: async () => undefined,
  };
  const keys = apiKeys.build(kit, needs).services.service;

  const persons: string[] = [];
  for (let index = 0; index < PERSONS; index += 1) {
    persons.push((await users.create({ email: `person${index}@example.com` })).id);
  }
  const personOf = (index: number): string => persons[index % PERSONS] ?? "";
  const origin = { requestId: "req-1", address: "127.0.0.1" };
  const token = async (index: number, kind: "web" | "cli"): Promise<string> =>
    (await ofSessions.start({ userId: personOf(index), kind, origin }))?.token ?? "";
  const authenticate = authenticateByAny(authenticateOne(mintToken()), ofSessions.byBearer, keys.authenticate);
  const browsers = { secure: false, authenticate: ofSessions.byCookie };
  const byCookie = async (index: number): Promise<Check> => {
    const message = messageWith({ cookie: `${SESSION_COOKIE}=${await token(index, "web")}` });
    return () => subjectOfBrowser(message, browsers);
  };
  const byBearer = (bearer: string): Check => {
    const message = messageWith({ authorization: `Bearer ${bearer}` });
    return async () => authenticate(bearerToken(message) ?? "", { origin });
  };
  const key = async (index: number): Promise<string> => {
    const owner = { type: "user", id: personOf(index) } as const;
    const minted = await keys.create(owner, { name: `key ${index}` }, { by: { id: owner.id, name: "somebody" } });
    return minted.key ?? "";
  };
  const many = <Value>(make: (index: number) => Promise<Value>): Promise<Value[]> =>
    Promise.all(Array.from({ length: MANY }, (_, index) => make(index)));
  return new Map([
    ["a web session, by its cookie", await many(byCookie)],
    ["a command line's session, by its token", (await many((index) => token(index, "cli"))).map(byBearer)],
    ["an API key", (await many(key)).map(byBearer)],
  ]);
}

function messageWith(headers: { readonly [name: string]: string }): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.method = "GET";
  for (const [name, value] of Object.entries(headers)) {
    message.headers[name] = value;
    message.headersDistinct[name] = [value];
  }
  return message;
}

/** Microseconds. Between two rounds all are asked once, so that none is asked of the database while it is measured. */
async function costOf(checks: readonly Check[]): Promise<number> {
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const check of checks) {
      if ((await check())?.type !== "user") throw new Error("Somebody is not known.");
    }
    const begun = process.cpuUsage();
    for (let index = 0; index < CHECKS; index += 1) await checks[index % checks.length]?.();
    const { user, system } = process.cpuUsage(begun);
    costs.push((user + system) / CHECKS);
  }
  return median(costs);
}
