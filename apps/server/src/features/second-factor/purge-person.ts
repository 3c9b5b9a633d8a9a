import type { Database } from "../../kit/database.ts";
import type { PurgePerson } from "../../kit/purge.ts";
import type { SealedSecrets } from "../credentials/sealed-secrets.ts";
import type { SecondFactorTables } from "./migrations.ts";

/** His second factors, and what one-time codes are made from. */
export function purgeFactors(database: () => Promise<Database>, secrets: Pick<SealedSecrets, "remove">): PurgePerson {
  return async ({ id }) => {
    const opened = await database();
    const factors = await opened
      .tables<SecondFactorTables>()
      .selectFrom("factor")
      .select("id")
      .where("user_id", "=", id)
      .execute();
    for (const factor of factors) await secrets.remove(factor.id);
    await opened.write<SecondFactorTables, void>(async (db) => {
      for (const table of ["factor", "factor_challenge", "recovery_code", "pending_sign_in"] as const) {
        await db.deleteFrom(table).where("user_id", "=", id).execute();
      }
    });
  };
}
