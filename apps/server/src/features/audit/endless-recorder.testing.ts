// A process that records until it is killed, and says on standard output which events are acknowledged.
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "@loom/config";
import { openDatabase } from "../../kit/database.ts";
import { parsePostgresUrl } from "../../kit/postgres-address.ts";
import { event, openTestAudit } from "./audit.testing.ts";
import { migrations } from "./migrations.ts";

const [path = "", prefix = "", url = ""] = process.argv.slice(2);
const place =
  url === "" ? { file: join(path, "loom-server.sqlite") } : { postgres: parsePostgresUrl(new Secret(url), "it") };
const opening = openDatabase({ ...place, migrations: [{ feature: "audit", migrations }] });
const audit = openTestAudit(path, () => opening);

async function client(number: number): Promise<void> {
  for (let count = 0; ; count += 1) {
    const id = `${prefix}-${number}-${count}`;
    await audit.record(event(id));
    writeSync(1, `${id}\n`);
  }
}
for (let number = 0; number < 5; number += 1) void client(number);
