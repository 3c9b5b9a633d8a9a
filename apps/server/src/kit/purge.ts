/** Somebody whose account was deleted so long ago that nobody can take that back. */
export type Departed = {
  /** Stays: what is kept of him is known by it. */
  readonly id: string;
  readonly username: string;
  /** What he is called from now on. */
  readonly tombstone: string;
  readonly email: string;
  /** It goes with him. */
  readonly personalOrganization: string | undefined;
};

/** Removes what a feature keeps of him, but for his id where something has to stay. May be done again. */
export type PurgePerson = (person: Departed) => Promise<void>;

/** What a feature with tables does then: `nothing` where they hold nothing of persons, `itself` where it makes the purge. */
export type OnPurge<Services, Kit> = "nothing" | "itself" | ((services: Services, kit: Kit) => PurgePerson);
