import { api } from "@loom/api";
import type { Users } from "../../identity-types.ts";
import type { Resource } from "../../kit/policy.ts";
import { preconditionOf } from "../../kit/preconditions.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { type Route, route } from "../../kit/route.ts";
import { principalOf, type Subject } from "../../kit/subject.ts";
import { ifMatch, versioned } from "../../kit/versions.ts";
import type { Explain } from "./explain.ts";
import { questionOf, WrongQuestion } from "./explain-question.ts";
import type { OrganizationPolicies } from "./organization-policies.ts";
import { policyIdOf } from "./organization-policy.ts";
import type { Expected } from "./organization-policy-store.ts";
import type { PolicyBook } from "./policy-book.ts";

export type PolicyRouteNeeds = {
  readonly book: PolicyBook;
  readonly own: OrganizationPolicies;
  readonly explain: Explain;
  readonly users: () => Users;
  /** The id of an organization that is there, by its id or slug. */
  readonly organizationId: (idOrSlug: string, subject: Subject) => Promise<string | undefined>;
};

export function policyRoutes({ book, own, explain, users, organizationId }: PolicyRouteNeeds): Route[] {
  const resource = async ({ org }: { readonly org: string }, subject: Subject): Promise<Resource | undefined> => {
    const organization = await organizationId(org, subject);
    return organization === undefined ? undefined : { type: "policy", organization };
  };
  const idOf = async (org: string, subject: Subject): Promise<string> => {
    const id = await organizationId(org, subject);
    if (id === undefined) throw new ProblemError("not_found", "There is no such organization any more.");
    return id;
  };
  const READ = { action: "read", resource, hidden: true } as const;

  return [
    route(api.policies.list, READ, async ({ params, subject }) => ({
      policies: await own.list(await idOf(params.org, subject)),
    })),
    route(api.policies.get, READ, async ({ params, subject }) =>
      versioned(await own.get(await idOf(params.org, subject), params.name)),
    ),
    route(
      api.policies.put,
      { action: "write", resource, hidden: true },
      async ({ params: { org, name }, body, subject, call, audit }) => {
        const organization = await idOf(org, subject);
        const expected = expectedBy(preconditionOf(call.incoming));
        const by = { id: principalOf(subject), expected };
        const { before, policy } = await own.put(organization, name, body.text, by);
        await audit({
          event: before === undefined ? "policy.created" : "policy.updated",
          outcome: "success",
          target: { type: "policy", id: policyIdOf(organization, name), name },
          organization,
          ...(before === undefined ? {} : { before: { text: before.text } }),
          after: { text: policy.text },
        });
        return versioned(policy, { status: before === undefined ? 201 : 200 });
      },
    ),
    route(
      api.policies.delete,
      { action: "delete", resource, hidden: true },
      async ({ params: { org, name }, subject, call, audit }) => {
        const organization = await idOf(org, subject);
        const { policy } = await own.remove(organization, name, ifMatch(call.incoming) ?? "any");
        await audit({
          event: "policy.deleted",
          outcome: "success",
          target: { type: "policy", id: policyIdOf(organization, name), name },
          organization,
          before: { text: policy.text },
        });
        return versioned(policy);
      },
    ),
    route(api.policies.explain, { action: "read", resource: { type: "policy" } }, async ({ query }) => {
      const { sharedWithSupport, secondFactor, scopes, ...rest } = query;
      const wish = {
        ...rest,
        sharedWithSupport: sharedWithSupport === undefined ? undefined : sharedWithSupport === "true",
        secondFactor: secondFactor === undefined ? undefined : secondFactor === "true",
        scopes: scopes?.split(","),
      };
      const question = await questionOf(wish, book, users()).catch((error: unknown) => {
        if (!(error instanceof WrongQuestion)) throw error;
        throw wrongFields([{ field: error.field, message: error.message.replace(/\.$/, "") }]);
      });
      return explain(question.subject, question.action, question.resource);
    }),
  ];
}

function expectedBy(precondition: ReturnType<typeof preconditionOf>): Expected {
  if (precondition?.type === "nothing") return undefined;
  if (precondition?.type === "version") return precondition.version;
  const detail = 'Say what you expect: send If-None-Match: * for a new policy, or If-Match: "VERSION" to change one.';
  throw new ProblemError("precondition_required", detail);
}
