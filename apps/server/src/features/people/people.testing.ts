// What the tests of people share: a database, and a server on it whose tokens are the ids of people.
import type { IncomingHttpHeaders } from "node:http";
import { sql } from "kysely";
import type { User, Users } from "../../identity-types.ts";
import type { AuditEvent } from "../../kit/audit.ts";
import { authenticateByAny } from "../../kit/auth.ts";
import { createDispatcher } from "../../kit/dispatcher.ts";
import { type Engine, type TestDatabase, testDatabase } from "../../kit/engines.testing.ts";
import { KIT_MIGRATIONS } from "../../kit/job-claims.ts";
import { testKit } from "../../kit/kit.testing.ts";
import { listen } from "../../kit/listener.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import type { Metrics } from "../../kit/metrics.ts";
import type { Action, Resource } from "../../kit/policy.ts";
import { OWNER, type Subject } from "../../kit/subject.ts";
import { type Answer, type PlainRequest, send } from "../../testing.ts";
import type { MailContent } from "../mail/compose-mail.ts";
import { policy } from "../policy/index.ts";
import { migrations as policyMigrations } from "../policy/migrations.ts";
import { migrations as sessionMigrations } from "../sessions/migrations.ts";
import { createSessionService, SESSION_LIMITS } from "../sessions/service.ts";
import { createSessionStore } from "../sessions/store.ts";
import { createAttempts } from "../sign-in/attempts.ts";
import { migrations as signInMigrations } from "../sign-in/migrations.ts";
import { people } from "./index.ts";
import { migrations } from "./migrations.ts";

export const DAY_MS = 86_400_000;

export type Town = {
  readonly home: TestDatabase;
  /** Moves the clocks of all servers. */
  pass(ms: number): void;
  /** Another server on the same database. With the policies, or with nothing before the rules of this feature. */
  node(options?: { readonly isPolicied?: boolean }): Promise<Node>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type Node = {
  readonly services: ReturnType<typeof people.build>["services"];
  readonly policies: ReturnType<typeof policy.build>["services"];
  readonly events: readonly AuditEvent[];
  /** What the policy was asked, oldest first. */
  readonly asked: readonly { readonly action: Action; readonly resource: Resource }[];
  readonly mails: readonly MailContent[];
  readonly metrics: Metrics;
  person(username: string): Promise<User>;
  /** A request as it is; `as` as in `call`. */
  send(as: string, request: PlainRequest): Promise<Answer>;
  /** `as`: a person's id, `owner` for the owner's token, "" for nobody. */
  call<Body = unknown>(as: string, method: string, path: string, options?: CallOptions): Promise<Told<Body>>;
};

export type CallOptions = {
  readonly body?: unknown;
  /** Default: `*`; "" for none. */
  readonly ifMatch?: string | undefined;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Told<Body> = { readonly status: number; readonly json: Body; readonly headers: IncomingHttpHeaders };

export async function town(engine: Engine): Promise<Town> {
  let now = Date.UTC(2026, 10, 20);
  const home = await testDatabase(engine, [
    KIT_MIGRATIONS,
    { feature: "people", migrations },
    { feature: "sessions", migrations: sessionMigrations },
    { feature: "sign-in", migrations: signInMigrations },
    { feature: "policy", migrations: policyMigrations },
  ]);
  const closing: (() => Promise<void>)[] = [];

  async function node({ isPolicied = false } = {}): Promise<Node> {
    const database = await home.open();
    const events: AuditEvent[] = [];
    const asked: { action: Action; resource: Resource }[] = [];
    const kit = testKit(database);
    const { audit, metrics } = kit;
    audit.connect({ record: (event) => void events.push(event) });
    const mails: MailContent[] = [];
    const mail = { isSetUp: true, send: (content: MailContent) => void mails.push(content), settled: async () => {} };
    const feature = people.build(kit, {
      wall: () => now,
      sessions: () => sessions,
      mail,
      attempts: () => createAttempts(kit.database, () => now),
      requireRecent: async () => {},
      filter: (...asked) => (isPolicied ? rules.services.filter(...asked) : sql<boolean>`1 = 1`),
    });
    const { users } = feature.services;
    const sessions = createSessionService({
      store: createSessionStore(kit.database),
      users,
      limits: SESSION_LIMITS,
      clock: { wall: () => now, monotonic: () => now },
      countryOf: async () => undefined,
      audit,
      log: SILENT_LOG,
    });
    const rules = policy.build(kit, {
      users: () => users,
      organizationId: async (org, subject) => (await feature.services.resources.organization({ org }, subject))?.id,
    });
    const dispatcher = createDispatcher({
      routes: [...feature.routes, ...rules.routes],
      rawRoutes: [],
      hosts: { names: ["127.0.0.1"], anyAddress: false, origins: [], ownOrigin: () => "" },
      authenticate: authenticateByAny(
        (token) => (token === "owner" ? OWNER : undefined),
        sessions.byBearer,
        (token) => subjectOf(users, token),
      ),
      authorize: (subject, action, resource) => {
        asked.push({ action, resource });
        return isPolicied ? rules.services.authorize(subject, action, resource) : { allowed: true, policy: "test" };
      },
      audit,
      isTrustedProxy: () => false,
      isStopping: () => false,
      log: SILENT_LOG,
      metrics,
    });
    const listener = await listen({ host: "127.0.0.1", port: 0, handle: dispatcher.handle });
    closing.push(() => listener.close({ drainMs: 0, abort: dispatcher.abortOpen }));
    return {
      services: feature.services,
      policies: rules.services,
      events,
      asked,
      mails,
      metrics,
      send: (as, request) =>
        send(listener.url, { ...request, headers: { ...request.headers, authorization: `Bearer ${as}` } }),
      person: (username) => users.create({ email: `${username}@example.com`, username }),
      async call<Body>(
        as: string,
        method: string,
        path: string,
        { body, ifMatch = "*", key, headers }: CallOptions = {},
      ) {
        const answer = await send(listener.url, {
          method,
          path,
          headers: {
            ...(as === "" ? { authorization: [] } : { authorization: `Bearer ${as}` }),
            ...(ifMatch === "" ? {} : { "if-match": ifMatch }),
            ...(key !== undefined && { "idempotency-key": key }),
            ...(body !== undefined && { "content-type": "application/json" }),
            ...headers,
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        return { status: answer.status, json: JSON.parse(answer.text) as Body, headers: answer.headers };
      },
    };
  }

  return {
    home,
    pass(ms) {
      now += ms;
    },
    node,
    async [Symbol.asyncDispose]() {
      await Promise.all(closing.map((close) => close()));
      await home[Symbol.asyncDispose]();
    },
  };
}

async function subjectOf(users: Users, id: string): Promise<Subject | undefined> {
  const standing = await users.standing(id);
  if (standing === undefined) return undefined;
  const { username, globalRoles, organizations, teams } = standing;
  return {
    type: "user",
    id,
    name: username,
    via: { type: "session", id: "session-1", kind: "cli" },
    globalRoles,
    organizations,
    teams,
    nodes: [{ kind: "user", id }],
  };
}
