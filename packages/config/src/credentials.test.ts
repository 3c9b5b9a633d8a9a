import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { credentialsFile, readServerToken } from "./credentials.ts";
import { loomDirectories } from "./xdg.ts";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const directories = () => loomDirectories({ HOME: home });
const token = (tokenFile = "") =>
  readServerToken({ serverUrl: "https://loom.example", tokenFile, directories: directories() }).expose();

function writePrivate(path: string, text: string): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

describe("readServerToken", () => {
  it("reads the file that is named", () => {
    expect(token(writePrivate(join(home, "token"), "lt_abc\n"))).toBe("lt_abc");
  });

  it("finds the token of the server in the credentials file", () => {
    writePrivate(credentialsFile(directories()), '{"https://loom.example/": "lt_right", "https://other": "lt_wrong"}');
    expect(token()).toBe("lt_right");
  });

  it("refuses a file that others can read", () => {
    const path = writePrivate(join(home, "token"), "lt_abc");
    chmodSync(path, 0o640);
    expect(() => token(path)).toThrow(`run "chmod 600 ${path}"`);
  });

  it("says what to do where there is no token", () => {
    expect(() => token()).toThrow(/There is no token for https:\/\/loom\.example: .*LOOM_SERVER_TOKEN_FILE/);
    expect(() => token(join(home, "missing"))).toThrow(/there is no such file/);
    writePrivate(credentialsFile(directories()), "{}");
    expect(() => token()).toThrow(/holds no token for https:\/\/loom\.example/);
  });

  it("does not show what a broken file holds", () => {
    const path = writePrivate(credentialsFile(directories()), "lt_canary");
    expect(() => token()).toThrow(`${path} is not valid JSON`);
    expect(() => token()).not.toThrow(/canary/);
    expect(() => token(writePrivate(join(home, "two"), "lt_canary lt_canary"))).not.toThrow(/canary/);
  });
});
