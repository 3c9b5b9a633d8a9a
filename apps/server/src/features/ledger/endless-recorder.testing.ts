// A process that records until it is killed, and says on standard output how many rows are acknowledged.
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "@loom/config";
import { parsePostgresUrl } from "../../kit/postgres-address.ts";
import { entry, openTestLedger } from "./ledger.testing.ts";

const [path = "", prefix = "", url = ""] = process.argv.slice(2);
const place =
  url === "" ? { file: join(path, "loom-server.sqlite") } : { postgres: parsePostgresUrl(new Secret(url), "it") };
const { ledger } = openTestLedger({ path, place });
let recorded = 0;
let told = 0;

function turn(): void {
  for (let count = 0; count < 7; count += 1) {
    ledger.record(entry(`${prefix}${String(recorded).padStart(7, "0")}`));
    recorded += 1;
  }
  const { acknowledgedRows } = ledger.state;
  if (acknowledgedRows > told) writeSync(1, `${acknowledgedRows}\n`);
  told = acknowledgedRows;
  setTimeout(turn, 1);
}
turn();
