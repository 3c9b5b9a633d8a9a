import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { takeServerConfig } from "../../config.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { temporaryDirectory } from "../../testing.ts";
import { CredentialPool } from "./credential-pool.ts";
import { EnvironmentMembers } from "./environment-members.ts";

test("the keys of a file that is gone are used for a minute more", async () => {
  const home = await temporaryDirectory();
  onTestFinished(() => home[Symbol.asyncDispose]());
  const path = join(home.path, "keys");
  const write = () => writeFileSync(path, "key-a\nkey-b\n", { mode: 0o600 });
  write();
  const { anthropic } = takeServerConfig({ LOOM_SERVER_ANTHROPIC_API_KEYS_FILE: path }).providers;
  if (anthropic === undefined) throw new Error("no provider");
  let now = 5_000;
  const clock = { monotonic: () => now, wall: () => now };
  const pool = new CredentialPool({ clock, selectionOf: () => "round-robin", onTrouble: () => undefined });
  const members = new EnvironmentMembers(anthropic, { pool, clock, log: SILENT_LOG, conceal: () => undefined });
  const countAt = async (ms: number): Promise<number> => {
    now = ms;
    await members.follow();
    return members.all.length;
  };
  expect(await countAt(6_000)).toBe(2);
  rmSync(path);
  expect([await countAt(10_000), await countAt(69_000)]).toEqual([2, 2]);
  expect(await countAt(70_000)).toBe(0);
  write();
  expect(await countAt(71_000)).toBe(2);
});
