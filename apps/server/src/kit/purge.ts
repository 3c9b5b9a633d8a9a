/** Somebody whose account was deleted so long ago that nobody can take that back. */
export type Departed = {
  /** Stays: what is kept of him is known by it. */
  readonly id: string;
  readonly username: string;
  /** What he is called from now on. */
  readonly tombstone: string;
  readonly email: string;
};

/** An organization that was deleted so long ago, or whose only person is gone. No tombstone is left of it. */
export type DissolvedOrganization = {
  readonly id: string;
  readonly slug: string;
  /** Ids of all its teams. */
  readonly teams: readonly string[];
};

/** Removes what a feature keeps of him, but for his id where something has to stay. May be done again. */
export type PurgePerson = (person: Departed) => Promise<void>;

/** Removes what a feature keeps of it and of its teams. May be done again. */
export type PurgeOrganization = (organization: DissolvedOrganization) => Promise<void>;

/**
 * What a feature keeps of teams. Those that were dissolved are found by what still points to them, whenever it came to do
 * so; an id is never given to another team.
 */
export type TeamPurge = {
  /** The next behind this id, in the order of the database, of the teams that something points to; short, by an index. */
  nextAfter(team: string): Promise<string | undefined>;
  /** Removes what is kept of a team that is not there. May be done again. */
  purge(team: string): Promise<void>;
};

/** Organizations that end with a person are purged before him. */
export type Purge = {
  readonly person: PurgePerson;
  readonly organization: PurgeOrganization;
  readonly teams: readonly TeamPurge[];
};

/** What one feature does. */
export type PurgeParts = {
  readonly person: PurgePerson | "nothing";
  readonly organization: PurgeOrganization | "nothing";
  /** Absent where nothing is kept of teams by themselves. */
  readonly teams?: TeamPurge;
};

/** For a feature with tables: `nothing` where they hold nothing of them, `itself` where it makes the purge. */
export type OnPurge<Services, Kit> = "nothing" | "itself" | ((services: Services, kit: Kit) => PurgeParts);
