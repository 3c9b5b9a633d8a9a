import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { markOfThisProcess } from "./process-mark.ts";
import { markServer } from "./server-marks.ts";

/** Field 22, counted behind the name. */
function startOf(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19];
}

describe.runIf(process.platform === "linux")("a server that starts", () => {
  test("finds who runs, clears away who has died, and leaves alone what it does not know", async () => {
    await using home = await temporaryDirectory();
    const servers = `${home.path}/servers`;
    mkdirSync(servers);
    const mark = markOfThisProcess();
    // The parent of a test runs for as long as the test does.
    const { ppid } = process;
    const [dead, elsewhere, torn] = ["4000001", "4000002", "4000003"];
    writeFileSync(`${servers}/${dead}.json`, JSON.stringify({ ...mark, pid: 4_000_001, start: "1" }));
    writeFileSync(`${servers}/${elsewhere}.json`, JSON.stringify({ ...mark, pid: 4_000_002, namespace: "pid:[1]" }));
    writeFileSync(`${servers}/${torn}.json`, '{"pi');
    writeFileSync(`${servers}/${ppid}.json`, JSON.stringify({ ...mark, pid: ppid, start: startOf(ppid) }));

    const own = markServer(home.path);
    expect(own.others).toEqual([ppid]);
    expect(readdirSync(servers)).toEqual(
      expect.arrayContaining([`${process.pid}.json`, `${elsewhere}.json`, `${torn}.json`, `${ppid}.json`]),
    );
    expect(readdirSync(servers)).not.toContain(`${dead}.json`);
    own.remove();
    expect(readdirSync(servers)).not.toContain(`${process.pid}.json`);
  });
});
