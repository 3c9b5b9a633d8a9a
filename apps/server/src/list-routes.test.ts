// Every route that gives a list, and why it gives nobody a row that the policies keep from him.
import { api, type Contract } from "@loom/api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { anyOwnPolicies, anySubject, decidedWith, USERS } from "./features/policy/worlds.testing.ts";
import type { Action, Resource, ResourceType } from "./kit/policy.ts";

type Proof =
  /** Each row is asked about in SQL; the file compares it with the decisions, row by row, on random worlds. */
  | { readonly type: "filtered"; readonly by: string }
  /** The route asks about what all rows are, so that one decision is that of each; compared below, on random worlds. */
  | {
      readonly type: "one";
      readonly action: Action;
      readonly of: ResourceType;
      readonly owned?: true;
      readonly inOrganization?: true;
    }
  /** Its rows are nobody's, or no rows: why is the text. */
  | { readonly type: "none"; readonly because: string };

const rows: Proof = { type: "filtered", by: "list-rows.properties.test.ts" };
const threads: Proof = { type: "filtered", by: "features/policy/list-filter.properties.test.ts" };
const administered = (of: ResourceType): Proof => ({ type: "one", action: "administer", of });
const own = (of: ResourceType): Proof => ({ type: "one", action: "read", of, owned: true });
const none = (because: string): Proof => ({ type: "none", because });

const PROOFS: Readonly<Record<string, Proof>> = {
  listOrganizations: rows,
  listOrganizationMembers: rows,
  listInvitations: rows,
  listJoinRequests: rows,
  listTeams: rows,
  listTeamMembers: rows,
  listApiKeys: rows,
  listApiKeysOfOrganization: rows,
  listAudit: rows,
  listOrganizationAudit: rows,
  listThreads: threads,
  searchThreads: threads,
  listThreadChanges: none("which of the asker's own threads have changed: ids and versions, nothing of what they hold"),
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
  listOrganizationPolicies: none("policies are never hidden by policies, so that they can be taken back"),
  listModels: none("names of models are the same for all who may use one"),
  listSignInProviders: none("is for everybody, before anybody is signed in"),
  explainPolicy: none("one decision with its reasons"),
  getUsage: none("sums over what was used: no row is anybody's"),
};

const contracts: readonly Contract[] = Object.values(api).flatMap((group) => Object.values(group));

/** Lists of the API, by what they answer: an object with a list of objects in it. */
async function lists(): Promise<Contract[]> {
  const found: Contract[] = [];
  for (const contract of contracts) {
    const { response } = await contract.schemas();
    if (contract.method !== "GET" || !(response instanceof z.ZodObject)) continue;
    const isList = Object.values(response.shape).some(
      (field) => field instanceof z.ZodArray && field.element instanceof z.ZodObject,
    );
    if (isList || "nextCursor" in response.shape) found.push(contract);
  }
  return found;
}

test("every list has a proof, and every proof a list", async () => {
  const names = (await lists()).map(({ operation }) => operation);
  expect(names.toSorted()).toEqual(Object.keys(PROOFS).toSorted());
});

test.each(Object.entries(PROOFS).flatMap(([name, proof]) => (proof.type === "one" ? [[name, proof] as const] : [])))(
  "who may ask for %s may do the same with each of its rows",
  async (_, { action, of, owned, inOrganization }) => {
    await fc.assert(
      fc.asyncProperty(anySubject, fc.constantFrom(...USERS), anyOwnPolicies, async (subject, owner, own) => {
        const { decide } = await decidedWith(own);
        const asked: Resource = { type: of, ...(owned && { owner }), ...(inOrganization && { organization: "org-1" }) };
        // What a row has besides: an id, and where it is somebody's, whose.
        const row: Resource = { ...asked, id: "thing-1", ...(!inOrganization && { owner }) };
        if (!decide(subject, action, asked).allowed) return;
        expect(decide(subject, action, row)).toMatchObject({ allowed: true });
      }),
      { numRuns: 300 },
    );
  },
);
