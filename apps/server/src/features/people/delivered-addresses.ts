import type { Kysely } from "kysely";
import { deliveredAddress } from "../../kit/mail-address.ts";
import type { PeopleTables } from "./migrations.ts";
import { addressKey } from "./usernames.ts";

const PAGE = 500;

/**
 * Writes the domains of all addresses as mail is delivered by them, so that whoever has one is found by it however it is
 * written. An address that somebody else has in that form stays as it is: two accounts are not made one here.
 */
export async function deliverAll(db: Kysely<PeopleTables>): Promise<void> {
  for (let last: string | undefined = ""; last !== undefined; ) {
    const rows = await db
      .selectFrom("person_address")
      .select(["address_key", "address", "person_id"])
      .where("address_key", ">", last)
      .orderBy("address_key")
      .limit(PAGE)
      .execute();
    for (const row of rows) await deliverAddress(db, row);
    last = rows.at(-1)?.address_key;
  }
  for (let last: string | undefined = ""; last !== undefined; ) {
    const rows = await db
      .selectFrom("invitation")
      .select(["id", "email", "email_key"])
      .where("id", ">", last)
      .orderBy("id")
      .limit(PAGE)
      .execute();
    for (const { id, email, email_key } of rows) {
      const now = changed(email, email_key);
      if (now === undefined) continue;
      await db.updateTable("invitation").set({ email: now.address, email_key: now.key }).where("id", "=", id).execute();
    }
    last = rows.at(-1)?.id;
  }
}

type AddressRow = { readonly address_key: string; readonly address: string; readonly person_id: string };

async function deliverAddress(
  db: Kysely<PeopleTables>,
  { address_key, address, person_id }: AddressRow,
): Promise<void> {
  const now = changed(address, address_key);
  if (now === undefined) return;
  const taken = await db
    .selectFrom("person_address")
    .select("person_id")
    .where("address_key", "=", now.key)
    .executeTakeFirst();
  if (taken !== undefined) return;
  await db
    .updateTable("person_address")
    .set({ address: now.address, address_key: now.key })
    .where("address_key", "=", address_key)
    .execute();
  await db
    .updateTable("person")
    .set({ email: now.address })
    .where("id", "=", person_id)
    .where("email", "=", address)
    .execute();
}

/** Nothing where it is found by the same key as ever, or its domain is none. */
function changed(address: string, key: string): { readonly address: string; readonly key: string } | undefined {
  const delivered = deliveredAddress(address);
  if (delivered === undefined || addressKey(delivered) === key) return undefined;
  return { address: delivered, key: addressKey(delivered) };
}
