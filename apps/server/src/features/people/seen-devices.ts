import type { PeopleDesk } from "./desk.ts";

/** Of one person; those used longest ago are forgotten first. */
const MAX_DEVICES = 100;

/** What a person calls the thing that he signs in with, and the country that it is in; "" where that is not known. */
export type SeenDevice = { readonly device: string; readonly country: string };

export type SeenDevices = {
  /** Remembers it. True where the person has signed in before, and never with this or from there. */
  isNew(personId: string, seen: SeenDevice): Promise<boolean>;
};

export function createSeenDevices(desk: PeopleDesk): SeenDevices {
  return {
    isNew: (personId, { device, country }) =>
      desk.change(async (db, now) => {
        const known = await db
          .selectFrom("seen_device")
          .selectAll()
          .where("person_id", "=", personId)
          .orderBy("seen_at", "desc")
          .execute();
        await db
          .insertInto("seen_device")
          .values({ person_id: personId, device, country, seen_at: now })
          .onConflict((conflict) => conflict.columns(["person_id", "device", "country"]).doUpdateSet({ seen_at: now }))
          .execute();
        const isKnown = known.some((each) => each.device === device && each.country === country);
        const oldest = known.at(-1);
        if (!isKnown && known.length >= MAX_DEVICES && oldest !== undefined) {
          await db
            .deleteFrom("seen_device")
            .where("person_id", "=", personId)
            .where("device", "=", oldest.device)
            .where("country", "=", oldest.country)
            .execute();
        }
        return !isKnown && known.length > 0;
      }),
  };
}
