import type { BudgetNode } from "../gateway-types.ts";
import { ProblemError } from "./problem-reply.ts";
import { lockedOutOf, type Subject, type UserSubject } from "./subject.ts";

/** The headers in which a client says on whose account a person's request runs. */
export const PAYER_HEADERS = { organization: "x-loom-organization", team: "x-loom-team" } as const;

export type Payer = { readonly kind: keyof typeof PAYER_HEADERS; readonly id: string };

/**
 * What the requests of a person count against: himself, and everything that he belongs to. Nobody gets round the limits of
 * a team by leaving a header out. What he is locked out of pays nothing for him. The organization that is his own comes
 * before others: some look only at the first.
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
 * What a request counts against for which a client has named the payer: of organizations and teams only that one, with
 * the organization that a team is in, or the subject's teams of an organization.
 * @throws ProblemError where the subject does not belong to it, or is locked out for want of a second factor.
 */
export function nodesWithPayer(subject: Subject, payers: readonly Payer[]): readonly BudgetNode[] {
  const [payer, ...more] = payers;
  if (payer === undefined) return subject.nodes;
  const { kind, id } = payer;
  const header = PAYER_HEADERS[kind];
  if (more.length > 0) {
    const both = `${PAYER_HEADERS.organization} and ${PAYER_HEADERS.team}`;
    throw new ProblemError("invalid_input", `The request names several payers: send one of ${both}, once.`);
  }
  const own = subject.nodes.filter((node) => node.kind !== "organization" && node.kind !== "team");
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
