// How each list of the API is known to give nobody a row that the policies keep from him.
import type { Action, ResourceType } from "./kit/policy.ts";

/** What `list-rows.properties.test.ts` compares with the decisions, row by row, and the operation that gives it. */
export const COMPARED = {
  organizations: "listOrganizations",
  "one's own organizations": "listOrganizations",
  members: "listOrganizationMembers",
  teams: "listTeams",
  "members of a team": "listTeamMembers",
  invitations: "listInvitations",
  "requests to join": "listJoinRequests",
  "keys of an organization": "listApiKeysOfOrganization",
  "keys of a person": "listApiKeys",
  "the audit log": "listAudit",
  threads: "listThreads",
  "threads found by what was said": "searchThreads",
  "threads found by a commit": "searchThreads",
} as const;

export type Proof =
  /** Each row is asked about in SQL, and `COMPARED` has it. */
  | { readonly type: "filtered" }
  /** The route asks about what all rows are, so that one decision is that of each. */
  | {
      readonly type: "one";
      readonly action: Action;
      readonly of: ResourceType;
      readonly owned?: true;
      readonly inOrganization?: true;
    }
  /** Its rows are nobody's, or no rows: why is the text. `asks`: the only thing that the route asks. */
  | { readonly type: "none"; readonly asks: `${Action} ${ResourceType}`; readonly because: string };

const rows: Proof = { type: "filtered" };
const administered = (of: ResourceType): Proof => ({ type: "one", action: "administer", of });
const own = (of: ResourceType): Proof => ({ type: "one", action: "read", of, owned: true });
const none = (asks: `${Action} ${ResourceType}`, because: string): Proof => ({ type: "none", asks, because });

/** By operation. */
export const PROOFS: Readonly<Record<string, Proof>> = {
  listOrganizations: rows,
  listOrganizationMembers: rows,
  listInvitations: rows,
  listJoinRequests: rows,
  listTeams: rows,
  listTeamMembers: rows,
  listApiKeys: rows,
  listApiKeysOfOrganization: rows,
  listAudit: rows,
  listOrganizationAudit: { type: "one", action: "read", of: "audit", inOrganization: true },
  listThreads: rows,
  searchThreads: rows,
  listThreadChanges: none(
    "read thread",
    "which of the asker's own threads have changed: ids and versions, nothing of what they hold",
  ),
  listUsers: administered("user"),
  listTokens: administered("token"),
  listCredentials: administered("credential"),
  listRoutes: administered("system"),
  explainRoute: administered("system"),
  listPrices: administered("system"),
  listMailDomains: administered("system"),
  listDomainClaims: { type: "one", action: "read", of: "mail_domain", inOrganization: true },
  listBudgets: { type: "one", action: "read", of: "budget" },
  listSessions: own("session"),
  listSessionsOfUser: { type: "one", action: "administer", of: "session", owned: true },
  listIdentities: own("identity"),
  listFactors: own("factor"),
  listNotices: own("user"),
  listOrganizationPolicies: none(
    "read policy",
    "policies are never hidden by policies, so that they can be taken back",
  ),
  listModels: none("read model", "names of models are the same for all who may use one"),
  listSignInProviders: none("visit sign_in", "is for everybody, before anybody is signed in"),
  explainPolicy: none("read policy", "one decision with its reasons"),
  getUsage: none("read usage", "sums over what was used: no row is anybody's"),
};
