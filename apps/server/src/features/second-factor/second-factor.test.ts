import { TOTP } from "otpauth";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { User } from "../../identity-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { createMasterKeys } from "../credentials/master-keys.ts";
import { migrations as credentialMigrations } from "../credentials/migrations.ts";
import { createSealedSecrets } from "../credentials/sealed-secrets.ts";
import { createCredentialStore } from "../credentials/store.ts";
import { createVault } from "../credentials/vault.ts";
import { type Node, ORIGIN, type SessionHouse, sessionHouse, setPerson } from "../sessions/sessions.testing.ts";
import { createAttempts } from "../sign-in/attempts.ts";
import { migrations as signInMigrations } from "../sign-in/migrations.ts";
import { migrations } from "./migrations.ts";
import { createSecondFactorService, PENDING_MS, type SecondFactorService } from "./service.ts";
import { createSecondFactorStore } from "./store.ts";

const STEP_MS = 30_000;
const QUARTER_MS = 15 * 60_000;

describe.each(engines)("on $name", { timeout: 60_000 }, (engine) => {
  let house: SessionHouse;
  let server: Node & { factors: SecondFactorService; rotate(): Promise<unknown> };
  let ada: User;

  beforeEach(async () => {
    house = await sessionHouse(engine, [
      { feature: "credentials", migrations: credentialMigrations },
      { feature: "sign-in", migrations: signInMigrations },
      { feature: "second-factor", migrations },
    ]);
    server = await start();
    ada = await server.users.create({ email: "ada@example.com", username: "ada" });
  });
  afterEach(async () => {
    await house[Symbol.asyncDispose]();
  });

  async function start(): Promise<typeof server> {
    const node = await house.node();
    const opened = await house.home.open();
    const database = async () => opened;
    const store = createCredentialStore(database);
    const keys = () => createMasterKeys({ given: undefined, directory: house.home.path });
    const factors = createSecondFactorService({
      store: createSecondFactorStore(database),
      secrets: createSealedSecrets(store, keys),
      attempts: createAttempts(database, house.now),
      users: node.users,
      sessions: node.sessions,
      audit: { record: (event) => void (node.events as unknown[]).push(event) },
      wall: house.now,
    });
    return { ...node, factors, rotate: () => createVault({ store, keys, wall: house.now }).rotate(undefined) };
  }

  const codeAt = (secret: string, ms: number): string => new TOTP({ secret }).generate({ timestamp: ms });

  async function withApp(): Promise<{ secret: string; id: string; recoveryCodes: readonly string[] }> {
    const { id, secret } = await server.factors.beginTotp(ada.id, "Phone");
    const confirmed = await server.factors.confirmTotp(ada.id, id, codeAt(secret, house.now()));
    expect(confirmed).toBeDefined();
    house.pass(2 * STEP_MS);
    return { secret, id, recoveryCodes: confirmed?.recoveryCodes ?? [] };
  }

  const waiting = async (): Promise<string> =>
    (await server.factors.begin(ada.id, "okta"))?.token ?? expect.fail("none");
  const give = (token: string, code: string) => server.factors.finish(token, code, ORIGIN);
  const refused = (code: string) => ({ name: "SignInRefused", code });

  test("who has no second factor is not asked for one; one that nobody confirmed is none", async () => {
    expect(await server.factors.begin(ada.id, "okta")).toBeUndefined();
    const { id, secret } = await server.factors.beginTotp(ada.id, "Phone");
    expect(await server.factors.confirmTotp(ada.id, id, "000000")).toBeUndefined();
    expect(await server.factors.begin(ada.id, "okta")).toBeUndefined();
    house.pass(QUARTER_MS + 1);
    expect(await server.factors.confirmTotp(ada.id, id, codeAt(secret, house.now()))).toBeUndefined();
  });

  test("with the app's code the browser is signed in, and the session knows how", async () => {
    const { secret } = await withApp();
    const token = await waiting();
    expect(await server.factors.isPending(token)).toBe(true);
    const { session } = await give(token, ` ${codeAt(secret, house.now()).replace(/(...)/, "$1 ")} `);
    expect(await server.sessions.subjectOf(session.id)).toMatchObject({ id: ada.id, via: { strong: true } });
    expect(server.events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["factor.used", "session.created", "sign_in.succeeded"]),
    );
    // What waited is spent.
    await expect(give(token, codeAt(secret, house.now() + STEP_MS))).rejects.toMatchObject(
      refused("second_factor_unknown"),
    );
  });

  test("each code works once: not replayed, not of the step before one that was used, of a neighbour once", async () => {
    const { secret } = await withApp();
    const now = codeAt(secret, house.now());
    const before = codeAt(secret, house.now() - STEP_MS);
    const after = codeAt(secret, house.now() + STEP_MS);
    const wrong = refused("second_factor_wrong");
    await give(await waiting(), now);
    await expect(give(await waiting(), now)).rejects.toMatchObject(wrong);
    await expect(give(await waiting(), before)).rejects.toMatchObject(wrong);
    await give(await waiting(), after);
    await expect(give(await waiting(), after)).rejects.toMatchObject(wrong);
    house.pass(STEP_MS);
    await expect(give(await waiting(), after)).rejects.toMatchObject(wrong);
  });

  test("of two who give the same code at once on two servers one is let in", async () => {
    const { secret } = await withApp();
    const other = await start();
    const [one, two] = [await waiting(), await waiting()];
    const code = codeAt(secret, house.now());
    const both = await Promise.allSettled([give(one, code), other.factors.finish(two, code, ORIGIN)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("codes two steps away, of another app, and what is none are refused", async () => {
    const { secret } = await withApp();
    const { secret: others } = await server.factors.beginTotp("user-other", "Other");
    const token = await waiting();
    const far = [-2, 2].map((steps) => codeAt(secret, house.now() + steps * STEP_MS));
    for (const code of [...far, codeAt(others, house.now()), "", "abc", "1234567", "' or 1=1 --", "9".repeat(64)]) {
      await expect(give(token, code)).rejects.toMatchObject(refused("second_factor_wrong"));
    }
    expect(server.events.filter(({ event }) => event === "factor.failed")).toHaveLength(8);
  });

  test("guessing ends after ten tries, also with the right code and in another browser, for a quarter of an hour", async () => {
    const { secret } = await withApp();
    house.pass(QUARTER_MS);
    const token = await waiting();
    for (let count = 0; count < 10; count += 1) {
      await expect(give(token, "000000")).rejects.toMatchObject(refused("second_factor_wrong"));
    }
    const right = () => codeAt(secret, house.now());
    const tooMany = { problem: { code: "rate_limited" } };
    await expect(give(token, right())).rejects.toMatchObject(tooMany);
    await expect(give(await waiting(), right())).rejects.toBeInstanceOf(ProblemError);
    await expect(server.factors.check({ id: ada.id, name: "ada" }, right(), ORIGIN)).rejects.toMatchObject(tooMany);
    house.pass(QUARTER_MS);
    await give(await waiting(), right());
  });

  test("one has five minutes for it", async () => {
    const { secret } = await withApp();
    const token = await waiting();
    house.pass(PENDING_MS);
    expect(await server.factors.isPending(token)).toBe(false);
    const code = codeAt(secret, house.now());
    await expect(give(token, code)).rejects.toMatchObject(refused("second_factor_unknown"));
    // Nothing was used up.
    await give(await waiting(), code);
  });

  test("a recovery code works once, however it is typed; new ones void the old", async () => {
    const { recoveryCodes } = await withApp();
    const [first = "", second = ""] = recoveryCodes;
    expect(new Set(recoveryCodes).size).toBe(10);
    await give(await waiting(), ` ${first.toUpperCase().replaceAll("-", " ")}`);
    await expect(give(await waiting(), first)).rejects.toMatchObject(refused("second_factor_wrong"));
    expect(await server.factors.recoveryCodesLeft(ada.id)).toBe(9);
    const fresh = await server.factors.newRecoveryCodes(ada.id);
    await expect(give(await waiting(), second)).rejects.toMatchObject(refused("second_factor_wrong"));
    await give(await waiting(), fresh?.[0] ?? "");
    expect(server.events.filter(({ event }) => event === "recovery_code.used")).toHaveLength(2);
  });

  test("with the last factor its recovery codes go; nobody removes another's", async () => {
    const { id } = await withApp();
    expect(await server.factors.remove("user-other", id)).toBeUndefined();
    expect(await server.factors.remove(ada.id, id)).toMatchObject({ id });
    expect(await server.factors.recoveryCodesLeft(ada.id)).toBe(0);
    expect(await server.factors.begin(ada.id, "okta")).toBeUndefined();
    expect(await server.factors.newRecoveryCodes(ada.id)).toBeUndefined();
  });

  test("what codes are made from is encrypted, bound to its row, and goes with a new master key", async () => {
    const { id, secret, recoveryCodes } = await withApp();
    const token = await waiting();
    const db = (await house.home.open()).tables<Record<string, Record<string, unknown>>>();
    const tables = ["sealed_secret", "factor", "recovery_code", "pending_sign_in"];
    const rows = await Promise.all(tables.map((table) => db.selectFrom(table).selectAll().execute()));
    const text = JSON.stringify(rows, (_, value) => {
      const isBytes = typeof value === "object" && value?.type === "Buffer";
      return isBytes ? Buffer.from(value.data).toString("latin1") : value;
    });
    for (const hidden of [secret, token, ...recoveryCodes]) expect(text).not.toContain(hidden);
    await server.rotate();
    await give(await waiting(), codeAt(secret, house.now()));
    const { id: other } = await server.factors.beginTotp(ada.id, "Tablet");
    await db.deleteFrom("sealed_secret").where("id", "=", other).execute();
    await db.updateTable("sealed_secret").set({ id: other }).where("id", "=", id).execute();
    await expect(server.factors.confirmTotp(ada.id, other, "123456")).rejects.toThrow(/cannot be decrypted/);
  });

  test("somebody who is disabled meanwhile is not let in", async () => {
    const { secret } = await withApp();
    const token = await waiting();
    await setPerson(house, ada.id, { disabled: true });
    await server.follow();
    await expect(give(token, codeAt(secret, house.now()))).rejects.toMatchObject(refused("account_disabled"));
  });
});
