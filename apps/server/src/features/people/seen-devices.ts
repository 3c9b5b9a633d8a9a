import type { PeopleDesk } from "./desk.ts";
import type { People } from "./person-store.ts";

/** Of one person; those used longest ago are forgotten first. */
const MAX_DEVICES = 100;
/** When one was seen is written down once a day. */
const DAY_MS = 86_400_000;

/** What a person calls the thing that he signs in with, and the country that it is in; "" where that is not known. */
export type SeenDevice = { readonly device: string; readonly country: string };

export type SeenDevices = {
  /** Remembers it. True where the person has signed in before, and never with this or from there. */
  isNew(personId: string, seen: SeenDevice): Promise<boolean>;
};

export function createSeenDevices(desk: PeopleDesk): SeenDevices {
  const ofPerson = (db: People, personId: string) =>
    db.selectFrom("seen_device").selectAll().where("person_id", "=", personId).orderBy("seen_at", "desc").execute();

  return {
    async isNew(personId, { device, country }) {
      const isThis = (each: SeenDevice): boolean => each.device === device && each.country === country;
      const [last] = (await ofPerson(await desk.read(), personId)).filter(isThis);
      if (last !== undefined && desk.wall() - Date.parse(last.seen_at) < DAY_MS) return false;
      return desk.change(async (db, now) => {
        const known = await ofPerson(db, personId);
        await db
          .insertInto("seen_device")
          .values({ person_id: personId, device, country, seen_at: now })
          .onConflict((conflict) => conflict.columns(["person_id", "device", "country"]).doUpdateSet({ seen_at: now }))
          .execute();
        if (known.some(isThis)) return false;
        const oldest = known[MAX_DEVICES - 1];
        if (oldest !== undefined) {
          await db
            .deleteFrom("seen_device")
            .where("person_id", "=", personId)
            .where("device", "=", oldest.device)
            .where("country", "=", oldest.country)
            .execute();
        }
        return known.length > 0;
      });
    },
  };
}
