import type { OrganizationRole, Subject } from "../../kit/subject.ts";
import type { People } from "./person-store.ts";

/** Who changes something, as far as the rules among people go. The policy has let him in before. */
export type Actor = {
  /** Of a person. */
  readonly userId: string | undefined;
  /** Whether everything on this server is his to change. */
  readonly runsServer: boolean;
  /** Of an organization's own key. */
  readonly keyOf: string | undefined;
  /** A person who is signed in, with his second factor. */
  readonly gaveFactor: boolean;
};

export function actorIn(subject: Subject): Actor {
  return {
    userId: userIdOf(subject),
    runsServer: runsServer(subject),
    keyOf: keyOf(subject),
    gaveFactor: subject.type === "user" && subject.via.type === "session" && subject.secondFactor === true,
  };
}

export function userIdOf(subject: Subject): string | undefined {
  return subject.type === "user" ? subject.id : undefined;
}

function runsServer(subject: Subject): boolean {
  switch (subject.type) {
    case "owner":
      return true;
    case "token":
      return subject.scopes.includes("admin");
    case "user":
      return subject.globalRoles.includes("system_admin") && subject.scopes === undefined;
    default:
      return false;
  }
}

function keyOf(subject: Subject): string | undefined {
  return subject.type === "organization_key" ? subject.organization : undefined;
}

/** As what he acts in an organization now; within the `write` that depends on it. */
export async function roleIn(
  db: People,
  { userId, runsServer, keyOf }: Pick<Actor, "userId" | "runsServer" | "keyOf">,
  organizationId: string,
): Promise<OrganizationRole | undefined> {
  if (runsServer) return "owner";
  if (keyOf !== undefined) return keyOf === organizationId ? "admin" : undefined;
  if (userId === undefined) return undefined;
  const row = await db
    .selectFrom("organization_member")
    .select("role")
    .where("organization_id", "=", organizationId)
    .where("person_id", "=", userId)
    .executeTakeFirst();
  return row?.role as OrganizationRole | undefined;
}
