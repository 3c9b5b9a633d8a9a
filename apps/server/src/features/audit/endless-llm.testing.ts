// A process that records requests for models until it is killed, and says on standard output how many are acknowledged.
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "@loom/config";
import { parsePostgresUrl } from "../../kit/postgres-address.ts";
import { entry } from "../ledger/ledger.testing.ts";
import { openAuditedLedger } from "./audited-ledger.testing.ts";

const [path = "", prefix = "", url = ""] = process.argv.slice(2);
const place =
  url === "" ? { file: join(path, "loom-server.sqlite") } : { postgres: parsePostgresUrl(new Secret(url), "it") };
const { ledger } = openAuditedLedger({ path, place });
let recorded = 0;

function turn(): void {
  for (let count = 0; count < 7; count += 1) {
    const outcome = recorded % 10 === 0 ? "failed" : "completed";
    ledger.record(entry(`${prefix}${recorded}`, { outcome, model: `m${recorded % 3}` }));
    recorded += 1;
  }
  writeSync(1, `${ledger.state.acknowledgedRows}\n`);
  setTimeout(turn, 1);
}
turn();
