// A process that records until it is killed, and says on standard output how many rows are acknowledged.
import { writeSync } from "node:fs";
import { entry, openTestLedger } from "./ledger.testing.ts";

const [directory = "", prefix = ""] = process.argv.slice(2);
const { ledger } = openTestLedger(directory);
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
