import { readFile, stat } from "node:fs/promises";
import { createRedactor, Secret } from "@loom/config";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { createLog, LogFileError } from "./log.ts";
import { openLogDestination } from "./log-destination.ts";

const asIs = (text: string): string => text;

test("a line is one JSON object with level, time and facts", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/new/server.log`;
  const log = await createLog({ level: "info", destination: { file }, redact: asIs });
  log.debug("not this");
  log.warn("disk\nalmost full", { free: 12, path: "/data" });
  await log.close();
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", msg: "disk\nalmost full", free: 12, path: "/data", time: expect.stringMatching(/Z$/) },
  ]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("a secret does not get into the log, wherever it stands", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/server.log`;
  const redact = createRedactor([new Secret('se"cret-9f8e7d6c5b')]);
  const log = await createLog({ level: "info", destination: { file }, redact });
  log.info('the key is se"cret-9f8e7d6c5b', { error: 'Bearer se"cret-9f8e7d6c5b' });
  await log.close();
  const text = await readFile(file, "utf8");
  expect(text).toContain("[redacted]");
  expect(text).not.toContain("9f8e7d6c5b");
});

test("lines come in order, however many are waiting", async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/lines`;
  const destination = openLogDestination({ file });
  for (let index = 0; index < 5_000; index += 1) destination.write(`${index}\n`);
  await destination.close();
  const expected = Array.from({ length: 5_000 }, (_, index) => String(index));
  expect((await readFile(file, "utf8")).trimEnd().split("\n")).toEqual(expected);
});

test.runIf(process.platform === "linux")("a full disk stops the log and nothing else", async () => {
  const destination = openLogDestination({ file: "/dev/full" });
  for (let index = 0; index < 100; index += 1) destination.write("a line\n");
  await destination.close();
});

test("a log file that cannot be opened is named", async () => {
  await using directory = await temporaryDirectory();
  const opening = createLog({ level: "info", destination: { file: directory.path }, redact: asIs });
  await expect(opening).rejects.toThrow(LogFileError);
  await expect(opening).rejects.toThrow(`The log file ${directory.path} cannot be opened (EISDIR)`);
});
