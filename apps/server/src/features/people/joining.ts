import { randomUUIDv7 } from "node:crypto";
import type { JoinRequest, OrganizationMember } from "@loom/api";
import type { Selectable } from "kysely";
import type { AttemptLimit, Attempts } from "../../identity-types.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { Subject } from "../../kit/subject.ts";
import type { Actor } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { type Page, putMember, thePerson } from "./members.ts";
import type { PeopleTables } from "./migrations.ts";
import { memberRole, theOrganization } from "./organization-store.ts";
import { checkAdministers } from "./organizations.ts";
import { PeopleError } from "./people-error.ts";

const DAY_MS = 24 * 3_600_000;
/** Open ones of one organization. */
const MAX_PENDING = 1_000;

type Row = Selectable<PeopleTables["join_request"]> & { readonly username: string };

export type JoinOutcome =
  | { readonly state: "joined"; readonly member: OrganizationMember; readonly organization: string }
  /** `isNew`: not where the same person has asked before. */
  | { readonly state: "requested"; readonly request: JoinRequest; readonly isNew: boolean };

export type Joining = {
  /** As the join policy has it. @throws PeopleError where nobody can join without an invitation, ProblemError after too many tries */
  join(userId: string, idOrSlug: string, message: string): Promise<JoinOutcome>;
  /** Of the one who asked, while nobody has decided. @throws PeopleError where he has not asked */
  withdraw(userId: string, idOrSlug: string): Promise<JoinRequest>;
  /** Newest first; without a state, in whatever state. */
  list(
    subject: Subject,
    idOrSlug: string,
    page: Page & { readonly state?: JoinRequest["state"] | undefined },
  ): Promise<{ readonly requests: readonly JoinRequest[]; readonly nextCursor: string | null }>;
  /** @throws PeopleError */
  decide(
    actor: Actor,
    idOrSlug: string,
    id: string,
    decision: "approved" | "rejected",
  ): Promise<{ readonly request: JoinRequest; readonly member?: OrganizationMember }>;
};

/** Each leaves rows in the audit log, and may be taken back at once. */
const TRIES_AT_ONE: AttemptLimit = { name: "join_organization", max: 10, perMs: DAY_MS };
const TRIES_OF_ONE: AttemptLimit = { name: "join", max: 100, perMs: DAY_MS };

export function createJoining(desk: PeopleDesk, filter: ListFilter, attempts: () => Pick<Attempts, "take">): Joining {
  const takeTry = async (userId: string, idOrSlug: string): Promise<void> => {
    const { id } = await theOrganization(await desk.read(), idOrSlug);
    await attempts().take(TRIES_AT_ONE, `${userId} ${id}`);
    await attempts().take(TRIES_OF_ONE, userId);
  };

  return {
    async join(userId, idOrSlug, message) {
      await takeTry(userId, idOrSlug);
      return desk.change(async (db, now): Promise<JoinOutcome> => {
        const organization = await theOrganization(db, idOrSlug);
        const person = await thePerson(db, userId);
        const role = await memberRole(db, organization.id, userId);
        if (role !== undefined) {
          throw new PeopleError("conflict", `You belong to ${organization.slug} already, as ${role}.`);
        }
        if (organization.join_policy === "invite" || organization.visibility === "private") {
          throw new PeopleError("refused", `${organization.slug} takes nobody in without an invitation.`);
        }
        if (organization.join_policy === "open") {
          const member = await putMember(db, organization.id, person, "member", now);
          return { state: "joined", member, organization: organization.id };
        }
        const open = await db
          .selectFrom("join_request")
          .selectAll()
          .where("organization_id", "=", organization.id)
          .where("state", "=", "pending")
          .orderBy("id")
          .execute();
        const mine = open.find(({ person_id }) => person_id === userId);
        if (mine !== undefined) {
          return { state: "requested", request: requestOf({ ...mine, username: person.username }), isNew: false };
        }
        if (open.length >= MAX_PENDING) {
          throw new PeopleError("conflict", `${MAX_PENDING} people have asked already: try again later.`);
        }
        // Whoever asks again and again leaves one row.
        await db
          .deleteFrom("join_request")
          .where("organization_id", "=", organization.id)
          .where("person_id", "=", userId)
          .where("state", "=", "withdrawn")
          .execute();
        const row = {
          id: `join-${randomUUIDv7()}`,
          organization_id: organization.id,
          person_id: userId,
          message,
          created_at: now,
          state: "pending",
          decided_at: null,
        };
        await db.insertInto("join_request").values(row).execute();
        return { state: "requested", request: requestOf({ ...row, username: person.username }), isNew: true };
      });
    },
    withdraw: (userId, idOrSlug) =>
      desk.change(async (db, now) => {
        const organization = await theOrganization(db, idOrSlug);
        const { username } = await thePerson(db, userId);
        const row = await db
          .selectFrom("join_request")
          .selectAll()
          .where("organization_id", "=", organization.id)
          .where("person_id", "=", userId)
          .where("state", "=", "pending")
          .executeTakeFirst();
        if (row === undefined) throw new PeopleError("unknown", `You have not asked to join ${organization.slug}.`);
        const state = "withdrawn";
        await db.updateTable("join_request").set({ state, decided_at: now }).where("id", "=", row.id).execute();
        return requestOf({ ...row, state, username });
      }),
    async list(subject, idOrSlug, { limit, cursor, state }) {
      const db = await desk.read();
      const organization = await theOrganization(db, idOrSlug);
      const before = cursor === undefined ? undefined : String(decodeCursor(cursor, ["string"])[0]);
      const rows = await db
        .selectFrom("join_request")
        .innerJoin("person", "person.id", "join_request.person_id")
        .selectAll("join_request")
        .select("person.username as username")
        .where("join_request.organization_id", "=", organization.id)
        .$if(state !== undefined, (query) => query.where("join_request.state", "=", state ?? ""))
        .where((where) =>
          filter(subject, "read", "invitation", {
            id: where.ref("join_request.id"),
            organization: where.ref("join_request.organization_id"),
          }),
        )
        .$if(before !== undefined, (query) => query.where("join_request.id", "<", before ?? ""))
        .orderBy("join_request.id", "desc")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ id }) => [id]);
      return { requests: items.map(requestOf), nextCursor };
    },
    decide: (actor, idOrSlug, id, decision) =>
      desk.change(async (db, now) => {
        const organization = await theOrganization(db, idOrSlug);
        await checkAdministers(db, actor, organization);
        const row = await db
          .selectFrom("join_request")
          .innerJoin("person", "person.id", "join_request.person_id")
          .selectAll("join_request")
          .select("person.username as username")
          .where("join_request.id", "=", id)
          .where("join_request.organization_id", "=", organization.id)
          .executeTakeFirst();
        if (row === undefined) throw new PeopleError("unknown", "Nobody has asked to join by this id.");
        if (row.state !== "pending") throw new PeopleError("conflict", `The request was ${row.state} before.`);
        const person = await thePerson(db, row.person_id);
        if (decision === "approved" && (person.disabledAt ?? person.deletedAt) !== null) {
          throw new PeopleError("conflict", `The account ${person.username} is disabled or deleted.`);
        }
        await db.updateTable("join_request").set({ state: decision, decided_at: now }).where("id", "=", id).execute();
        const request = requestOf({ ...row, state: decision });
        if (decision === "rejected") return { request };
        // He may have come by an invitation meanwhile, and not as a mere member.
        const role = (await memberRole(db, organization.id, person.id)) ?? "member";
        return { request, member: await putMember(db, organization.id, person, role, now) };
      }),
  };
}

function requestOf(row: Row): JoinRequest {
  return {
    id: row.id,
    organization: row.organization_id,
    userId: row.person_id,
    username: row.username,
    message: row.message,
    createdAt: row.created_at,
    state: row.state as JoinRequest["state"],
  };
}
