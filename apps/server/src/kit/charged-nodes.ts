import type { BudgetNode } from "../gateway-types.ts";
import { ProblemError } from "./problem-reply.ts";
import { lockedOutOf, type Subject, type UserSubject } from "./subject.ts";

/** The headers in which a client says on whose account a person's request runs. */
export const PAYER_HEADERS = { organization: "x-loom-organization", team: "x-loom-team" } as const;

/** As people read it. */
const ORGANIZATION_HEADER = "X-Loom-Organization";

export type Payer = { readonly kind: keyof typeof PAYER_HEADERS; readonly id: string };

/**
 * What the requests of a person count against: himself, and everything that he belongs to. Nobody gets round the limits of
 * a team by leaving a header out. What he is locked out of is not among it: it pays nothing for him, and `chargedNodes`
 * sees to it that nothing is asked in its stead. The organization that is his own comes before others: some look only at
 * the first.
 */
export function nodesOfPerson(
  person: Pick<UserSubject, "id" | "organizations" | "teams" | "secondFactor">,
  personalOrganization: string | undefined,
): BudgetNode[] {
  const closed = lockedOutOf(person);
  const others = person.organizations.filter(({ id }) => id !== personalOrganization && !closed.includes(id));
  const teams = person.teams.filter(({ organization }) => !closed.includes(organization));
  return [
    { kind: "user", id: person.id },
    ...(personalOrganization === undefined ? [] : [{ kind: "organization", id: personalOrganization }]),
    ...others.map(({ id }) => ({ kind: "organization", id })),
    ...teams.map(({ id }) => ({ kind: "team", id })),
  ];
}

/**
 * What a request counts against. Where the client has named the payer: of organizations and teams only that one, with
 * the organization that a team is in, or the subject's teams of an organization. Where it has named none: everything that
 * the subject belongs to.
 * @throws ProblemError where the subject does not belong to what is to pay, or is locked out of it for want of a second
 *   factor: who has none would else be without the limits of whoever asks for one.
 */
export function chargedNodes(subject: Subject, payers: readonly Payer[] = []): readonly BudgetNode[] {
  const [payer, ...more] = payers;
  if (payer === undefined) {
    if (subject.type === "user") checkNotLockedOutOfAny(subject);
    return subject.nodes;
  }
  const { kind, id } = payer;
  const header = PAYER_HEADERS[kind];
  if (more.length > 0) {
    const both = `${PAYER_HEADERS.organization} and ${PAYER_HEADERS.team}`;
    throw new ProblemError("invalid_input", `The request names several payers: send one of ${both}, once.`);
  }
  const own = nodesWithoutPayers(subject);
  if (subject.type === "organization_key" && kind === "organization" && id === subject.organization) {
    return subject.nodes;
  }
  if (subject.type !== "user") {
    const detail = `The header ${header} is for people, who belong to organizations: leave it out with this token.`;
    throw new ProblemError("forbidden", detail);
  }
  if (kind === "organization") {
    if (!subject.organizations.some((each) => each.id === id)) throw noMember(payer);
    checkNotLockedOut(subject, id);
    const teams = subject.teams.filter((team) => team.organization === id);
    return [...own, { kind, id }, ...teams.map((team) => ({ kind: "team", id: team.id }))];
  }
  const team = subject.teams.find((each) => each.id === id);
  if (team === undefined) throw noMember(payer);
  checkNotLockedOut(subject, team.organization);
  return [...own, { kind: "organization", id: team.organization }, { kind, id }];
}

/** The subject for itself, without the organizations and teams that may pay for it. */
export function nodesWithoutPayers({ nodes }: Pick<Subject, "nodes">): readonly BudgetNode[] {
  return nodes.filter(({ kind }) => kind !== "organization" && kind !== "team");
}

function checkNotLockedOutOfAny(subject: UserSubject): void {
  const [organization] = lockedOutOf(subject);
  if (organization === undefined) return;
  const way =
    subject.via.type === "key"
      ? "sign in with the second factor (/auth/factors) and rotate this API key"
      : "sign in with the second factor (/auth/factors)";
  const detail = `Without a named payer, this is charged to all that you belong to, and the organization ${organization} asks its members for a second factor: ${way}, or name another payer in the header ${ORGANIZATION_HEADER}.`;
  throw new ProblemError("forbidden", detail);
}

function checkNotLockedOut(subject: UserSubject, organization: string): void {
  if (!lockedOutOf(subject).includes(organization)) return;
  const detail =
    "The organization that this is to be charged to asks its members for a second factor: add one at /auth/factors, or sign in again with yours.";
  throw new ProblemError("forbidden", detail);
}

function noMember({ kind, id }: Payer): ProblemError {
  const named = `${JSON.stringify(id.slice(0, 80))} in the header ${PAYER_HEADERS[kind]}`;
  return new ProblemError("forbidden", `You belong to no ${kind} with the id ${named}.`);
}
