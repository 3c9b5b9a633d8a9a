import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { engines, everythingIn, type TestHome } from "../../kit/engines.testing.ts";
import { send } from "../../testing.ts";

describe.each(engines)("on $name", (engine) => {
  const config = takeServerConfig({});

  function start(home: TestHome, options: { replace?: boolean; tokenFile?: string } = {}) {
    const { replace = false, tokenFile = `${home.path}/owner-token` } = options;
    return startServer({
      config,
      access: { type: "owner", tokenFile, replace },
      dataDirectory: home.path,
      postgres: home.postgres,
    });
  }

  async function statusWith(url: string, token: string): Promise<number> {
    const answer = await send(url, { path: "/healthz", headers: { authorization: `Bearer ${token.trim()}` } });
    return answer.status;
  }

  test("the first start writes a token that lets its reader in, and keeps only the hash", async () => {
    await using directory = await engine.create();
    const server = await start(directory);
    const token = await readFile(`${directory.path}/owner-token`, "utf8");
    expect(token).toMatch(/^lt_[A-Za-z0-9_-]{43}\n$/);
    expect((await stat(`${directory.path}/owner-token`)).mode & 0o777).toBe(0o600);
    expect(server.mintedOwnerToken).toBe(true);
    expect(await statusWith(server.url, token)).toBe(200);
    await server.close();
    expect(await everythingIn(directory)).not.toContain(token.trim().slice(3, 20));
  });

  test("later starts write nothing, and the token goes on working, also when its file is gone", async () => {
    await using directory = await engine.create();
    await (await start(directory)).close();
    const token = await readFile(`${directory.path}/owner-token`, "utf8");
    await writeFile(`${directory.path}/owner-token`, "");
    const server = await start(directory);
    expect(server.mintedOwnerToken).toBe(false);
    expect(await readFile(`${directory.path}/owner-token`, "utf8")).toBe("");
    expect(await statusWith(server.url, token)).toBe(200);
    await server.close();
  });

  test("a new token voids the old one", async () => {
    await using directory = await engine.create();
    await (await start(directory)).close();
    const old = await readFile(`${directory.path}/owner-token`, "utf8");
    const server = await start(directory, { replace: true });
    const fresh = await readFile(`${directory.path}/owner-token`, "utf8");
    expect(await statusWith(server.url, old)).toBe(401);
    expect(await statusWith(server.url, fresh)).toBe(200);
    await server.close();
  });

  test("two servers that start at once on one new database agree on one token", async () => {
    await using directory = await engine.create();
    const servers = await Promise.all([start(directory), start(directory), start(directory)]);
    expect(servers.filter((server) => server.mintedOwnerToken)).toHaveLength(1);
    const token = await readFile(`${directory.path}/owner-token`, "utf8");
    expect(await Promise.all(servers.map((server) => statusWith(server.url, token)))).toEqual([200, 200, 200]);
    await Promise.all(servers.map((server) => server.close()));
  });

  test("a file that is no token of ours is not overwritten, and then there is no token either", async () => {
    await using directory = await engine.create();
    const tokenFile = `${directory.path}/letter`;
    await writeFile(tokenFile, "Dear grandmother,");
    await chmod(tokenFile, 0o644);
    await expect(start(directory, { tokenFile })).rejects.toThrow(`${tokenFile} exists and holds no token of Loom`);
    expect(await readFile(tokenFile, "utf8")).toBe("Dear grandmother,");
    const server = await start(directory);
    expect(server.mintedOwnerToken).toBe(true);
    await server.close();
  });

  test("a token file that cannot be written is an error with the reason, and the next start tries again", async () => {
    await using directory = await engine.create();
    await writeFile(`${directory.path}/file`, "");
    const tokenFile = `${directory.path}/file/token`;
    await expect(start(directory, { tokenFile })).rejects.toThrow(/^The owner's token cannot be written to .*\.$/);
    const server = await start(directory);
    expect(server.mintedOwnerToken).toBe(true);
    await server.close();
  });
});
