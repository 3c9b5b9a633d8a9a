// `node lock-database.ts FILE MS`: holds the write lock of a database for so long, as a backup or a person at a prompt might.
import { DatabaseSync } from "node:sqlite";

const [file = "", ms = "0"] = process.argv.slice(2);
const database = new DatabaseSync(file, { timeout: 5_000 });
database.exec("BEGIN IMMEDIATE");
setTimeout(() => {
  database.exec("ROLLBACK");
  database.close();
}, Number(ms));
