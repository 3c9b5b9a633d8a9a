import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../usage-error.ts";
import { startUpstream, type TestUpstream } from "../gateway/upstream.testing.ts";
import { ANSWER, startHouse, type TestHouse } from "./credentials.testing.ts";

const KEY = "key-of-the-master-key-tests";
const newKey = (): string => randomBytes(32).toString("base64");

let upstream: TestUpstream;
let house: TestHouse;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  upstream = await startUpstream(
    (response) => void response.writeHead(200, { "content-type": "application/json" }).end(ANSWER),
  );
  env = { LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url };
});

afterEach(async () => {
  await house[Symbol.asyncDispose]();
  await upstream.close();
});

const add = (more: NodeJS.ProcessEnv = {}, label = "one") =>
  house.command(["add", "anthropic", "--label", label], { input: `${KEY}\n`, env: more });

async function works(): Promise<void> {
  expect((await house.ask()).status).toBe(200);
  expect(upstream.seen.at(-1)?.headers["x-api-key"]).toBe(KEY);
}

describe("without a given master key", () => {
  test("one is made at first need, that only this account can read", async () => {
    house = await startHouse(env);
    const file = `${house.directory}/master-key`;
    expect(existsSync(file)).toBe(false);
    await add();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    await house.until(({ credentials }) => credentials.length === 1);
    await works();
  });

  test("one that is lost is said in a sentence, and nothing is destroyed", async () => {
    house = await startHouse(env);
    await add();
    const file = `${house.directory}/master-key`;
    await rename(file, `${file}.away`);
    await house.restart();
    const { credentials } = await house.list();
    expect(credentials[0]).toMatchObject({
      state: "disabled",
      reason: expect.stringMatching(/^The stored credentials cannot be read, because the master key is missing: .*\.$/),
    });
    expect((await house.call("PATCH", "/api/admin/credentials/one", { enabled: true })).status).toBe(503);
    await expect(add({}, "two")).rejects.toThrow(/the master key is missing/);
    expect(existsSync(file)).toBe(false);
    await writeFile(file, newKey(), { mode: 0o600 });
    await expect(add({}, "two")).rejects.toThrow(/the master key is another one/);
    await expect(house.command(["rotate-key"])).rejects.toThrow(/the master key is another one/);

    await rename(`${file}.away`, file);
    await house.restart();
    await works();
    expect(await house.one("one")).toMatchObject({ state: "available" });
  });

  test("one that comes back is taken up by the server that runs, which leaves the rest as it was", async () => {
    house = await startHouse(env);
    await add();
    await add({}, "two");
    await house.command(["disable", "two"]);
    const file = `${house.directory}/master-key`;
    await rename(file, `${file}.away`);
    await house.restart();
    await writeFile(file, newKey(), { mode: 0o600 });
    await house.until(({ credentials }) => credentials.every(({ reason }) => reason?.includes("is another one")));
    await rename(`${file}.away`, file);
    await house.until(({ credentials }) => credentials[0]?.state === "available");
    await works();
    expect(await house.one("two")).toMatchObject({ state: "disabled", reason: "It was disabled by hand." });
    const log = await readFile(`${house.directory}/server.log`, "utf8");
    expect(log.match(/credential unreadable/g)?.length).toBeLessThanOrEqual(4);
  });

  test("without the right one, the command line says what is disabled and why", async () => {
    house = await startHouse(env);
    await add();
    await add({}, "two");
    const file = `${house.directory}/master-key`;
    await rename(file, `${file}.away`);
    for (const what of ["is missing", "is another one"]) {
      const { printed, said } = await house.command(["list"]);
      expect(printed.split("\n").map((line) => line.split(/ {2,}/)[3])).toEqual([
        "STATE",
        "disabled",
        "disabled",
        undefined,
      ]);
      expect(said.match(new RegExp(`the master key ${what}: give the key`, "g"))).toHaveLength(1);
      expect(said).toContain("judged by the master key that this command finds");
      const shown = await house.command(["show", "two"]);
      expect(shown.printed).toMatch(new RegExp(`state {6}disabled\nreason {5}The stored .* the master key ${what}: `));
      expect(shown.said).toContain("judged by the master key that this command finds");
      await writeFile(file, newKey(), { mode: 0o600 });
    }
    await rename(`${file}.away`, file);
    const { printed, said } = await house.command(["list"]);
    expect([printed.match(/available/g)?.length, said]).toEqual([2, ""]);
  });

  test("without the right one, nothing is enabled, by command or over HTTP, and both say why", async () => {
    house = await startHouse(env);
    await add();
    await house.command(["disable", "one"]);
    const file = `${house.directory}/master-key`;
    await rename(file, `${file}.away`);
    for (const what of ["is missing", "is another one"]) {
      await house.restart();
      const refused = await house.call("PATCH", "/api/admin/credentials/one", { enabled: true });
      const { detail } = JSON.parse(refused.text);
      expect([refused.status, detail]).toEqual([503, expect.stringContaining(`the master key ${what}: give the key`)]);
      const error = await house.command(["enable", "one"]).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(error).toHaveProperty("message", detail);
      await house.command(["disable", "one"]);
      await writeFile(file, newKey(), { mode: 0o600 });
    }
    await rename(`${file}.away`, file);
    expect((await house.command(["enable", "one"])).said).toBe("The credential one is enabled.");
    await house.restart();
    await works();
  });

  test("rotation takes a new one, while the server runs and goes on", async () => {
    house = await startHouse(env);
    await add();
    await house.until(({ credentials }) => credentials.length === 1);
    const before = await readFile(`${house.directory}/master-key`, "utf8");
    expect((await house.command(["rotate-key"])).said).toMatch(
      /^1 credential is encrypted with the master key [0-9a-f]{16} now\./,
    );
    expect(await readFile(`${house.directory}/master-key`, "utf8")).not.toBe(before);
    expect(existsSync(`${house.directory}/master-key.next`)).toBe(false);
    await works();
    await add({}, "two");
    const body = { provider: "anthropic", label: "three", secret: { type: "api_key", key: KEY } };
    expect((await house.call("POST", "/api/admin/credentials", body)).status).toBe(201);
    await house.restart();
    expect((await house.list()).credentials.map(({ state }) => state)).toEqual(["available", "available", "available"]);
  });

  test("a rotation that was killed at its very end is finished by whoever comes next", async () => {
    house = await startHouse(env);
    await add();
    const file = `${house.directory}/master-key`;
    const old = await readFile(file, "utf8");
    await house.command(["rotate-key"]);
    // As it is between the commit and the renaming.
    await rename(file, `${file}.next`);
    await writeFile(file, old, { mode: 0o600 });
    await house.restart();
    await works();
    expect(existsSync(`${file}.next`)).toBe(false);
    expect(await readFile(file, "utf8")).not.toBe(old);
  });

  test("a rotation that was killed at its beginning has changed nothing", async () => {
    house = await startHouse(env);
    await add();
    await writeFile(`${house.directory}/master-key.next`, newKey(), { mode: 0o600 });
    await house.restart();
    await works();
    await house.command(["rotate-key"]);
    await house.restart();
    await works();
  });
});

describe("a given master key", () => {
  test("leaves no file behind, and is needed again", async () => {
    const LOOM_SERVER_MASTER_KEY = newKey();
    house = await startHouse({ ...env, LOOM_SERVER_MASTER_KEY });
    await add({ LOOM_SERVER_MASTER_KEY });
    expect(existsSync(`${house.directory}/master-key`)).toBe(false);
    await house.restart({ ...env, LOOM_SERVER_MASTER_KEY: newKey() });
    expect(await house.one("one")).toMatchObject({ reason: expect.stringContaining("the master key is another one") });
    await house.restart({ ...env, LOOM_SERVER_MASTER_KEY });
    await works();
  });

  test("is rotated to the one in a file, and the old one opens nothing any more", async () => {
    const LOOM_SERVER_MASTER_KEY = newKey();
    house = await startHouse({ ...env, LOOM_SERVER_MASTER_KEY });
    await add({ LOOM_SERVER_MASTER_KEY });
    await house.until(({ credentials }) => credentials.length === 1);
    const file = `${house.directory}/next`;
    await writeFile(file, `${newKey()}\n`, { mode: 0o600 });
    const options = { env: { LOOM_SERVER_MASTER_KEY } };
    await expect(house.command(["rotate-key"], options)).rejects.toThrow(/name the new one with --new-key-file/);
    const { said } = await house.command(["rotate-key", "--new-key-file", file], options);
    expect(said).toContain("Give it to the server in LOOM_SERVER_MASTER_KEY_FILE.");
    // The running server has what it needs for what it has, and says so where it has not.
    await works();
    const body = { provider: "anthropic", secret: { type: "api_key", key: KEY } };
    const refused = await house.call("POST", "/api/admin/credentials", body);
    expect([refused.status, JSON.parse(refused.text).detail]).toEqual([503, expect.stringContaining("another one")]);
    await house.restart({ ...env, LOOM_SERVER_MASTER_KEY_FILE: file });
    await works();
    await house.restart({ ...env, LOOM_SERVER_MASTER_KEY });
    expect(await house.one("one")).toMatchObject({ state: "disabled" });
  });

  test("can take the place of the one in the data directory", async () => {
    house = await startHouse(env);
    await add();
    const LOOM_SERVER_MASTER_KEY = newKey();
    await house.command(["rotate-key"], { env: { LOOM_SERVER_MASTER_KEY } });
    await rm(`${house.directory}/master-key`);
    await house.restart({ ...env, LOOM_SERVER_MASTER_KEY });
    await works();
  });

  test("that is none is said before the server starts", async () => {
    house = await startHouse(env);
    for (const wrong of ["short", Buffer.alloc(31).toString("base64"), `${newKey()}x`]) {
      await expect(startHouse({ ...env, LOOM_SERVER_MASTER_KEY: wrong })).rejects.toThrow(
        /LOOM_SERVER_MASTER_KEY holds no master key: it has to be 32 bytes in base64/,
      );
      await expect(add({ LOOM_SERVER_MASTER_KEY: wrong })).rejects.toThrow(/holds no master key/);
    }
  });
});

test("a row that was moved to another place does not open, and says so", async () => {
  house = await startHouse(env);
  await add({}, "one");
  await add({}, "two");
  await house.restart();
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(`${house.directory}/loom-server.sqlite`);
  db.exec(
    "UPDATE credential SET sealed = (SELECT sealed FROM credential WHERE label = 'two'), wrapped_key = (SELECT wrapped_key FROM credential WHERE label = 'two') WHERE label = 'one'",
  );
  db.close();
  await house.restart();
  expect(await house.one("one")).toMatchObject({ state: "disabled", reason: expect.stringContaining("was changed") });
  expect(await house.one("two")).toMatchObject({ state: "available" });
  await expect(house.command(["rotate-key"])).rejects.toThrow(/nothing was changed/);
  await house.command(["remove", "one"]);
  await house.command(["rotate-key"]);
  await house.restart();
  await works();
});
