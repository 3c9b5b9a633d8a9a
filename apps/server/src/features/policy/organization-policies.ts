import { MAX_POLICY_CHARACTERS, type OrganizationPolicy, POLICY_NAME } from "@loom/api";
import type { Database } from "../../kit/database.ts";
import type { Authorize } from "../../kit/policy.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { createAuthorize } from "./cached-authorize.ts";
import { organizationOf } from "./entities.ts";
import { checkOrganizationPolicy, parseOrganizationPolicy } from "./organization-policy.ts";
import {
  createOrganizationPolicyStore,
  type Expected,
  MAX_POLICIES,
  type OrganizationPolicyStore,
  type PutOutcome,
  type StoredPolicy,
} from "./organization-policy-store.ts";
import type { Policy, PolicyBook } from "./policy-book.ts";
import { PolicyError } from "./policy-error.ts";

/** Lets everything through, so that only what an organization forbids is left to be said. */
const EVERYTHING: Policy = {
  id: "organization.everything",
  says: "What the server's policies allow.",
  file: "",
  text: "permit (principal, action, resource);",
  json: { effect: "permit", principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" }, conditions: [] },
};

type Parsed = { readonly text: string; readonly policy: Policy };

/** What an organization has added. */
type Own = { readonly policies: readonly Policy[]; readonly authorize: Authorize };

export type Change = { readonly before: OrganizationPolicy | undefined; readonly policy: OrganizationPolicy };

/**
 * The policies that organizations have added. They are asked only about what is in the organization, and only after the
 * server's own policies have said yes, so that they can take away and nothing else. About policies themselves they are
 * not asked: whoever administers an organization can always take them back.
 */
export class OrganizationPolicies {
  readonly #store: OrganizationPolicyStore;
  readonly #book: PolicyBook;
  readonly #now: () => Date;
  /** By id, those that were there at the last look. */
  #parsed: ReadonlyMap<string, Parsed> = new Map();
  #own = new Map<string, Own>();
  #revision = 0;

  constructor(store: OrganizationPolicyStore, book: PolicyBook, now: () => Date) {
    this.#store = store;
    this.#book = book;
    this.#now = now;
  }

  /** Learns what other servers have changed; one cheap question where that is nothing. */
  async follow(): Promise<void> {
    const revision = await this.#store.revision();
    if (revision === this.#revision) return;
    this.#take(await this.#store.all());
    this.#revision = revision;
  }

  /** The same decisions, less what organizations forbid. */
  restrict(authorize: Authorize): Authorize {
    return (subject, action, resource) => {
      const decision = authorize(subject, action, resource);
      if (!decision.allowed || this.#own.size === 0 || resource.type === "policy") return decision;
      const organization = organizationOf(resource);
      const own = organization === undefined ? undefined : this.#own.get(organization);
      if (own === undefined) return decision;
      const said = own.authorize(subject, action, resource);
      return said.allowed ? decision : said;
    };
  }

  /** By organization: what is forbidden in it. */
  forbids(): Iterable<readonly [organization: string, policies: readonly Policy[]]> {
    return [...this.#own].map(([organization, { policies }]) => [organization, policies] as const);
  }

  find(id: string): Policy | undefined {
    const [organization = ""] = id.split("/");
    return this.#own.get(organization)?.policies.find((each) => each.id === id);
  }

  async list(organization: string): Promise<readonly OrganizationPolicy[]> {
    return (await this.#store.all()).filter((each) => each.organization === organization).map(shown);
  }

  async get(organization: string, name: string): Promise<OrganizationPolicy> {
    const found = (await this.list(organization)).find((each) => each.name === name);
    if (found === undefined) throw nothingThere(name);
    return found;
  }

  /** @throws ProblemError */
  async put(organization: string, name: string, text: string, by: { id: string; expected: Expected }): Promise<Change> {
    if (!POLICY_NAME.test(name)) {
      const message = "has lower-case letters, digits and dashes, begins with a letter, and has at most 63 characters";
      throw wrongFields([{ field: "name", message }]);
    }
    this.#check(organization, name, text);
    const updatedAt = this.#now().toISOString();
    const outcome = await this.#store.put({ organization, name, text, updatedAt, updatedBy: by.id }, by.expected);
    return this.#done(outcome, name);
  }

  /** @throws ProblemError */
  async remove(organization: string, name: string, expected: Exclude<Expected, undefined>): Promise<Change> {
    return this.#done(await this.#store.remove(organization, name, expected), name);
  }

  /** Of one that is gone for good. */
  async removeAllOf(organization: string): Promise<void> {
    await this.#store.removeAllOf(organization);
    await this.follow();
  }

  #check(organization: string, name: string, text: string): void {
    if (text.length > MAX_POLICY_CHARACTERS) {
      throw wrongFields([{ field: "text", message: `has more than ${MAX_POLICY_CHARACTERS} characters` }]);
    }
    try {
      checkOrganizationPolicy(this.#book, parseOrganizationPolicy(organization, name, text));
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      throw wrongFields([{ field: "text", message: error.message.replace(/\.$/, "") }]);
    }
  }

  async #done(outcome: PutOutcome, name: string): Promise<Change> {
    if (outcome.type === "put") {
      await this.follow();
      return { before: outcome.before && shown(outcome.before), policy: shown(outcome.policy) };
    }
    if (outcome.type === "missing") throw nothingThere(name);
    if (outcome.type === "full") {
      throw new ProblemError("conflict", `An organization has at most ${MAX_POLICIES} policies: remove one first.`);
    }
    const detail =
      outcome.type === "exists"
        ? `There is a policy ${name} already: send its version as If-Match to change it.`
        : `The policy ${name} has been changed since: read it again.`;
    throw new ProblemError("version_mismatch", detail);
  }

  #take(stored: readonly StoredPolicy[]): void {
    const byOrganization = new Map<string, Policy[]>();
    const parsed = new Map<string, Parsed>();
    for (const { organization, name, text } of stored) {
      const policies = byOrganization.get(organization) ?? [];
      const policy = this.#parse(organization, name, text);
      parsed.set(policy.id, { text, policy });
      byOrganization.set(organization, [...policies, policy]);
    }
    // What was removed, by whomever, is forgotten.
    this.#parsed = parsed;
    this.#own = new Map(
      [...byOrganization].map(([organization, policies]) => [organization, this.#ownOf(organization, policies)]),
    );
  }

  /** What has not changed keeps what it remembers. */
  #ownOf(organization: string, policies: readonly Policy[]): Own {
    const known = this.#own.get(organization);
    if (known?.policies.length === policies.length && known.policies.every((each, at) => each === policies[at])) {
      return known;
    }
    const { schema, questions } = this.#book;
    return { policies, authorize: createAuthorize({ schema, questions, policies: [...policies, EVERYTHING] }) };
  }

  #parse(organization: string, name: string, text: string): Policy {
    const known = this.#parsed.get(`${organization}/${name}`);
    return known?.text === text ? known.policy : parseOrganizationPolicy(organization, name, text);
  }
}

export function createFollowedPolicies(database: () => Promise<Database>, book: PolicyBook): OrganizationPolicies {
  return new OrganizationPolicies(createOrganizationPolicyStore(database), book, () => new Date());
}

function shown({ name, text, version, updatedAt, updatedBy }: OrganizationPolicy): OrganizationPolicy {
  return { name, text, version, updatedAt, updatedBy };
}

function nothingThere(name: string): ProblemError {
  return new ProblemError("not_found", `The organization has no policy ${JSON.stringify(name.slice(0, 80))}.`);
}
