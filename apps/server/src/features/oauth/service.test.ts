import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { ORIGIN, sessionHouse } from "../sessions/sessions.testing.ts";
import { migrations, type OAuthTables } from "./migrations.ts";
import { createOAuthService, isLoopbackRedirect } from "./service.ts";
import { createGrantStore } from "./store.ts";
import { mintUserCode, readUserCode, shownUserCode } from "./user-code.ts";

const REDIRECT = "http://127.0.0.1:4711/callback";

function pkce() {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

describe.each(engines)("on $name", (engine) => {
  async function start() {
    const house = await sessionHouse(engine, [{ feature: "oauth", migrations }]);
    const node = await house.node();
    const opened = await house.home.open();
    const store = createGrantStore(async () => opened);
    const service = createOAuthService({ store, sessions: node.sessions, now: house.now });
    const ada = await node.users.create({ email: "ada@example.com", username: "ada" });
    return { ...node, house, opened, service, ada, [Symbol.asyncDispose]: () => house[Symbol.asyncDispose]() };
  }
  const device = { clientId: "some-tool", scope: "", origin: ORIGIN };

  test("a device waits, is let in by the user, and gets one session, once", async () => {
    await using world = await start();
    const { service, ada, house } = world;
    const { deviceCode, userCode, interval } = await service.requestDevice(device);
    const poll = () => service.pollDevice({ clientId: "some-tool", deviceCode, origin: ORIGIN });
    await expect(poll()).rejects.toMatchObject({ code: "authorization_pending" });
    const grant = await service.findDevice(userCode.toLowerCase().replace("-", " "));
    expect(grant).toMatchObject({ client_id: "some-tool", address: ORIGIN.address });
    expect(await service.decideDevice(grant?.id ?? "", ada.id, true)).toBe(true);
    house.pass(interval * 1000);
    const session = await poll();
    expect(await world.sessions.byBearer(session.token)).toMatchObject({ type: "user", id: ada.id });
    await expect(poll()).rejects.toMatchObject({ code: "invalid_grant" });
    expect(await service.findDevice(userCode)).toBeUndefined();
  });

  test("a device that asks too often is told so and has to wait longer", async () => {
    await using world = await start();
    const { service, house } = world;
    const { deviceCode } = await service.requestDevice(device);
    const poll = () => service.pollDevice({ clientId: "some-tool", deviceCode, origin: ORIGIN });
    await expect(poll()).rejects.toMatchObject({ code: "authorization_pending" });
    house.pass(4_900);
    await expect(poll()).rejects.toMatchObject({ code: "slow_down" });
    house.pass(9_000);
    await expect(poll()).rejects.toMatchObject({ code: "slow_down" });
    house.pass(15_000);
    await expect(poll()).rejects.toMatchObject({ code: "authorization_pending" });
  });

  test("a refusal, another client, an unknown code and the end of time are told apart", async () => {
    await using world = await start();
    const { service, ada, house } = world;
    const refused = await service.requestDevice(device);
    await service.decideDevice((await service.findDevice(refused.userCode))?.id ?? "", ada.id, false);
    const poll = (deviceCode: string, clientId = "some-tool") =>
      service.pollDevice({ clientId, deviceCode, origin: ORIGIN });
    await expect(poll(refused.deviceCode)).rejects.toMatchObject({ code: "access_denied" });
    const other = await service.requestDevice(device);
    await expect(poll(other.deviceCode, "another")).rejects.toMatchObject({ code: "invalid_grant" });
    await expect(poll("nonsense")).rejects.toMatchObject({ code: "invalid_grant" });
    const id = (await service.findDevice(other.userCode))?.id ?? "";
    house.pass(10 * 60_000);
    await expect(poll(other.deviceCode)).rejects.toMatchObject({ code: "expired_token" });
    expect(await service.findDevice(other.userCode)).toBeUndefined();
    expect(await service.decideDevice(id, ada.id, true)).toBe(false);
    house.pass(10 * 60_000 + 1);
    await service.purge();
    await expect(poll(other.deviceCode)).rejects.toMatchObject({ code: "invalid_grant" });
  });

  test("of two who decide at once one does, and an account that may not act gets no session", async () => {
    await using world = await start();
    const { service, ada } = world;
    const { deviceCode, userCode } = await service.requestDevice(device);
    const id = (await service.findDevice(userCode))?.id ?? "";
    const both = await Promise.all([service.decideDevice(id, ada.id, true), service.decideDevice(id, ada.id, false)]);
    expect(both.filter(Boolean)).toHaveLength(1);
    const second = await service.requestDevice(device);
    await service.decideDevice((await service.findDevice(second.userCode))?.id ?? "", "user-nobody", true);
    const poll = service.pollDevice({ clientId: "some-tool", deviceCode: second.deviceCode, origin: ORIGIN });
    await expect(poll).rejects.toMatchObject({ code: "access_denied" });
    expect(deviceCode).not.toBe(second.deviceCode);
  });

  test("a code is worth a session only to whoever began, and coming twice it ends what it gave", async () => {
    await using world = await start();
    const { service, ada, sessions, house } = world;
    const { verifier, challenge } = pkce();
    const grant = { clientId: "loom-cli", redirectUri: REDIRECT, challenge, userId: ada.id, origin: ORIGIN };
    const code = await service.grantCode(grant);
    const right = { clientId: "loom-cli", code, verifier, redirectUri: REDIRECT, origin: ORIGIN };
    for (const wrong of [
      { ...right, verifier: pkce().verifier },
      { ...right, verifier: "" },
      { ...right, clientId: "another" },
      { ...right, redirectUri: "http://127.0.0.1:4712/callback" },
      { ...right, code: `${code}x` },
    ]) {
      await expect(service.exchangeCode(wrong)).rejects.toMatchObject({ code: "invalid_grant" });
    }
    const { token } = await service.exchangeCode(right);
    expect(await sessions.byBearer(token)).toMatchObject({ id: ada.id, via: { kind: "cli" } });
    await expect(service.exchangeCode(right)).rejects.toMatchObject({ code: "invalid_grant" });
    expect(await sessions.byBearer(token)).toBeUndefined();
    const late = await service.grantCode(grant);
    house.pass(60_000);
    await expect(service.exchangeCode({ ...right, code: late })).rejects.toMatchObject({ code: "invalid_grant" });
  });

  test("no code and no token is in the database", async () => {
    await using world = await start();
    const { service, opened } = world;
    const { deviceCode, userCode } = await service.requestDevice(device);
    const rows = await opened.tables<OAuthTables>().selectFrom("oauth_grant").selectAll().execute();
    const text = JSON.stringify(rows, (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
    );
    for (const secret of [deviceCode, userCode, userCode.replace("-", "")]) expect(text).not.toContain(secret);
  });

  test.each([
    ["", "", "client_id"],
    ["<script>", "", "client_id"],
    ["some-tool", "everything", "scope"],
  ])("a device that calls itself %j and asks for %j is refused", async (clientId, scope, named) => {
    await using world = await start();
    await expect(world.service.requestDevice({ clientId, scope, origin: ORIGIN })).rejects.toThrow(named);
  });
});

test("user codes are read however they are typed, and only if they are some", () => {
  const code = mintUserCode();
  expect(readUserCode(shownUserCode(code))).toBe(code);
  expect(readUserCode(` ${shownUserCode(code).toLowerCase()} `)).toBe(code);
  for (const text of ["", "ABCD-EFGH", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJ1"])
    expect(readUserCode(text)).toBeUndefined();
});

test.each([
  [REDIRECT, true],
  ["http://[::1]:80/x", true],
  ["http://localhost:1/", true],
  ["https://127.0.0.1/", false],
  ["http://127.0.0.1.evil.example/", false],
  ["http://user@127.0.0.1/", false],
  ["http://evil.example/", false],
  ["javascript:alert(1)", false],
  ["http://127.0.0.1/#x", false],
  ["", false],
])("a code may be sent to %s: %s", (address, may) => {
  expect(isLoopbackRedirect(address)).toBe(may);
});
