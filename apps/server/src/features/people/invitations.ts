import { randomBytes, randomUUIDv7 } from "node:crypto";
import type {
  Invitation,
  InvitationState,
  InvitationView,
  MintedInvitation,
  NewInvitation,
  OrganizationMember,
} from "@loom/api";
import type { Selectable } from "kysely";
import { hashToken, matchesHash } from "../../kit/auth.ts";
import { makeOnce, type Once } from "../../kit/idempotency.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import { deliveredAddress } from "../../kit/mail-address.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { OrganizationRole, Subject } from "../../kit/subject.ts";
import { type Actor, roleIn } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { type Page, putMember, thePerson } from "./members.ts";
import type { PeopleTables } from "./migrations.ts";
import { findOrganization, memberRole, type OrganizationRow, theOrganization } from "./organization-store.ts";
import { checkAdministers, isPersonal, ownersOnly } from "./organizations.ts";
import { PeopleError } from "./people-error.ts";
import { type People, personById } from "./person-store.ts";
import { addressKey } from "./usernames.ts";

/** Milliseconds. */
const INVITATION_MS = 30 * 24 * 3_600_000;
/** Open ones of one organization. */
const MAX_PENDING = 1_000;
/** Of one organization: nobody makes a post office of it. */
const MAX_A_DAY = 100;
const DAY_MS = 24 * 3_600_000;

const TOKEN_SHAPE = /^li_[A-Za-z0-9_-]{43}$/;

function mintInvitationToken(): string {
  return `li_${randomBytes(32).toString("base64url")}`;
}

type Row = Selectable<PeopleTables["invitation"]>;

export type Answered = {
  readonly view: InvitationView;
  readonly invitation: Invitation;
  /** Of who accepted. */
  readonly member?: OrganizationMember;
};

export type Invitations = {
  /** Newest first. */
  list(
    subject: Subject,
    idOrSlug: string,
    page: Page,
  ): Promise<{ readonly invitations: readonly Invitation[]; readonly nextCursor: string | null }>;
  /** `by`: what people know the inviter as. An invitation that is open for the same address is taken back. @throws PeopleError, as all of these */
  create(
    actor: Actor,
    idOrSlug: string,
    wish: NewInvitation,
    options: { readonly by: string; readonly once?: Once | undefined },
  ): Promise<MintedInvitation & { readonly repeated: boolean }>;
  cancel(actor: Actor, idOrSlug: string, id: string): Promise<Invitation>;
  /** `undefined` for a token that nobody has. */
  view(token: string): Promise<InvitationView | undefined>;
  /** Once, by the person whose verified address it is for. */
  accept(userId: string, token: string): Promise<Answered>;
  decline(userId: string, token: string): Promise<Answered>;
};

export function createInvitations(desk: PeopleDesk, filter: ListFilter): Invitations {
  return {
    async list(subject, idOrSlug, { limit, cursor }) {
      const db = await desk.read();
      const organization = await theOrganization(db, idOrSlug);
      const before = cursor === undefined ? undefined : String(decodeCursor(cursor, ["string"])[0]);
      const rows = await db
        .selectFrom("invitation")
        .selectAll()
        .where("organization_id", "=", organization.id)
        .where((where) =>
          filter(subject, "read", "invitation", { id: where.ref("id"), organization: where.ref("organization_id") }),
        )
        .$if(before !== undefined, (query) => query.where("id", "<", before ?? ""))
        .orderBy("id", "desc")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ id }) => [id]);
      return { invitations: items.map((row) => invitationOf(row, desk.wall())), nextCursor };
    },
    create: (actor, idOrSlug, wish, { by, once }) =>
      desk.change(async (db, now) => {
        const organization = await theOrganization(db, idOrSlug);
        const token = mintInvitationToken();
        const { id, repeated } = await makeOnce(db, { once, now: desk.wall() }, () =>
          add(db, { actor, organization, wish, by, token, now }),
        );
        const row = await db.selectFrom("invitation").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
        return { token: repeated ? null : token, invitation: invitationOf(row, desk.wall()), repeated };
      }),
    cancel: (actor, idOrSlug, id) =>
      desk.change(async (db, now) => {
        const organization = await theOrganization(db, idOrSlug);
        await checkAdministers(db, actor, organization);
        const row = await db
          .selectFrom("invitation")
          .selectAll()
          .where("id", "=", id)
          .where("organization_id", "=", organization.id)
          .executeTakeFirst();
        if (row === undefined) throw new PeopleError("unknown", "The organization has no such invitation.");
        if (row.state !== "pending") throw isOver(invitationOf(row, desk.wall()).state);
        await answer(db, row, "cancelled", now);
        return invitationOf({ ...row, state: "cancelled" }, desk.wall());
      }),
    async view(token) {
      const db = await desk.read();
      const row = await byToken(db, token);
      if (row === undefined) return undefined;
      return viewOf(row, await organizationOfInvitation(db, row), desk.wall());
    },
    accept: (userId, token) =>
      desk.change(async (db, now) => {
        const { row, organization, person } = await open(db, userId, token);
        const role = await memberRole(db, organization.id, userId);
        if (role !== undefined) {
          throw new PeopleError("conflict", `You belong to ${organization.slug} already, as ${role}.`);
        }
        await answer(db, row, "accepted", now);
        const member = await putMember(db, organization.id, person, row.role as OrganizationRole, now);
        return { ...answered({ ...row, state: "accepted" }, organization), member };
      }),
    decline: (userId, token) =>
      desk.change(async (db, now) => {
        const { row, organization } = await open(db, userId, token);
        await answer(db, row, "declined", now);
        return answered({ ...row, state: "declined" }, organization);
      }),
  };

  function answered(row: Row, organization: OrganizationRow): Answered {
    return { view: viewOf(row, organization, desk.wall()), invitation: invitationOf(row, desk.wall()) };
  }

  /** What can still be answered by this person. */
  async function open(db: People, userId: string, token: string) {
    const row = await byToken(db, token);
    const person = await personById(db, userId);
    if (row === undefined || person === undefined) {
      throw new PeopleError("unknown", "There is no invitation with this token.", { field: "token" });
    }
    const { state } = invitationOf(row, desk.wall());
    if (state !== "pending") throw isOver(state);
    const address = await db
      .selectFrom("person_address")
      .select("person_id")
      .where("address_key", "=", row.email_key)
      .executeTakeFirst();
    if (address?.person_id !== userId) {
      throw new PeopleError(
        "refused",
        "The invitation is for another e-mail address: sign in with an account that has verified it, or ask for another invitation.",
      );
    }
    const organization = await organizationOfInvitation(db, row);
    if (organization.deleted_at !== null) throw new PeopleError("gone", "The organization has been deleted.");
    return { row, organization, person };
  }
}

type Wish = {
  readonly actor: Actor;
  readonly organization: OrganizationRow;
  readonly wish: NewInvitation;
  readonly by: string;
  readonly token: string;
  readonly now: string;
};

async function add(db: People, { actor, organization, wish, by, token, now }: Wish): Promise<string> {
  const { role = "member" } = wish;
  if (organization.personal_of !== null) throw isPersonal(organization);
  await checkAdministers(db, actor, organization);
  if (role === "owner" && (await roleIn(db, actor, organization.id)) !== "owner") throw ownersOnly("invite owners");
  const email =
    wish.email === undefined ? (await thePerson(db, wish.username ?? "")).email : deliveredAddress(wish.email);
  if (email === undefined) {
    throw new PeopleError("wrong", "The e-mail address is none: its domain cannot get mail.", { field: "email" });
  }
  const key = addressKey(email);
  const known = await db
    .selectFrom("person_address")
    .innerJoin("organization_member", "organization_member.person_id", "person_address.person_id")
    .select("organization_member.role")
    .where("person_address.address_key", "=", key)
    .where("organization_member.organization_id", "=", organization.id)
    .executeTakeFirst();
  if (known !== undefined) throw new PeopleError("conflict", `The person is a member already, as ${known.role}.`);
  await db
    .updateTable("invitation")
    .set({ state: "cancelled", answered_at: now })
    .where("organization_id", "=", organization.id)
    .where("email_key", "=", key)
    .where("state", "=", "pending")
    .execute();
  await checkRoom(db, organization, now);
  const id = `invitation-${randomUUIDv7()}`;
  await db
    .insertInto("invitation")
    .values({
      id,
      organization_id: organization.id,
      email,
      email_key: key,
      role,
      token_hash: hashToken(token),
      invited_by: by,
      created_at: now,
      expires_at: new Date(Date.parse(now) + INVITATION_MS).toISOString(),
      state: "pending",
      answered_at: null,
    })
    .execute();
  return id;
}

async function checkRoom(db: People, { id }: OrganizationRow, now: string): Promise<void> {
  const { count } = await db
    .selectFrom("invitation")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("organization_id", "=", id)
    .where("state", "=", "pending")
    .where("expires_at", ">", now)
    .executeTakeFirstOrThrow();
  if (count >= MAX_PENDING) {
    throw new PeopleError("conflict", `${MAX_PENDING} invitations are open already: cancel some first.`);
  }
  const today = await db
    .selectFrom("invitation")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("organization_id", "=", id)
    .where("created_at", ">", new Date(Date.parse(now) - DAY_MS).toISOString())
    .executeTakeFirstOrThrow();
  if (today.count < MAX_A_DAY) return;
  throw new PeopleError("conflict", `${MAX_A_DAY} people have been invited within a day: go on tomorrow.`);
}

async function answer(db: People, { id }: Row, state: InvitationState, now: string): Promise<void> {
  await db.updateTable("invitation").set({ state, answered_at: now }).where("id", "=", id).execute();
}

async function byToken(db: People, token: string): Promise<Row | undefined> {
  if (!TOKEN_SHAPE.test(token)) return undefined;
  const row = await db
    .selectFrom("invitation")
    .selectAll()
    .where("token_hash", "=", hashToken(token))
    .executeTakeFirst();
  return row !== undefined && matchesHash(token, row.token_hash) ? row : undefined;
}

async function organizationOfInvitation(db: People, row: Row): Promise<OrganizationRow> {
  const organization = await findOrganization(db, row.organization_id);
  if (organization === undefined) throw new PeopleError("unknown", "The organization is gone.");
  return organization;
}

function isOver(state: InvitationState): PeopleError {
  if (state === "expired") {
    return new PeopleError("gone", "The invitation is past its time: ask for another one.");
  }
  return new PeopleError("conflict", `The invitation was ${state} before: it can be answered once.`);
}

function invitationOf(row: Row, now: number): Invitation {
  const isLate = row.state === "pending" && Date.parse(row.expires_at) <= now;
  return {
    id: row.id,
    organization: row.organization_id,
    email: row.email,
    role: row.role as OrganizationRole,
    invitedBy: row.invited_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    state: isLate ? "expired" : (row.state as InvitationState),
  };
}

function viewOf(row: Row, { slug, name }: OrganizationRow, now: number): InvitationView {
  const { role, invitedBy, expiresAt, state } = invitationOf(row, now);
  return { organization: { slug, name }, role, invitedBy, expiresAt, state };
}
