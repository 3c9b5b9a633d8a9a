import type { OrganizationPolicy, PolicyExplanation } from "@loom/api";
import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import type { Resource } from "../../kit/policy.ts";
import { town } from "../people/people.testing.ts";
import { user } from "./policy.testing.ts";

const NO_SUPPORT = `forbid (principal, action == Action::"read", resource is Thread)
when { resource.sharedWithSupport && principal is User && principal.roles.contains("support") };`;
const SUPPORT = user("user-sue", { globalRoles: ["support"] });

type Problem = { readonly detail: string; readonly code: string };

describe.each(engines)("on $name", (engine) => {
  async function acme() {
    const place = await town(engine);
    const one = await place.node({ isPolicied: true });
    const [ada, bob] = [await one.person("ada"), await one.person("bob")];
    const made = await one.call<{ id: string }>(ada.id, "POST", "/api/orgs", { body: { slug: "acme", name: "Acme" } });
    expect(made.status).toBe(201);
    const thread = (organization: string): Resource => ({
      type: "thread",
      id: "T-1",
      owner: ada.id,
      organization,
      sharedWithSupport: true,
    });
    return { place, one, ada: ada.id, bob: bob.id, org: made.json.id, thread };
  }

  const PATH = "/api/orgs/acme/policies/no-support";

  test("an organization takes away what the server allows, in itself and nowhere else, on every server", async () => {
    const { place, one, ada, org, thread } = await acme();
    await using _ = place;
    const other = await place.node({ isPolicied: true });
    const reads = (node: typeof one, organization: string) =>
      node.policies.authorize(SUPPORT, "read", thread(organization));
    expect(reads(one, org)).toEqual({ allowed: true, policy: "threads.support" });
    const put = await one.call<OrganizationPolicy>(ada, "PUT", PATH, {
      body: { text: NO_SUPPORT },
      ifMatch: "",
      headers: { "if-none-match": "*" },
    });
    expect(put).toMatchObject({ status: 201, json: { name: "no-support", version: 1, updatedBy: ada } });
    expect(put.headers.etag).toBe('"1"');
    expect(reads(one, org)).toEqual({ allowed: false, policy: `${org}/no-support` });
    expect(reads(one, "org-other")).toEqual({ allowed: true, policy: "threads.support" });
    expect(one.policies.authorize(user(ada), "read", thread(org)).allowed).toBe(true);
    await other.policies.own.follow();
    expect(reads(other, org).allowed).toBe(false);
    expect(one.events.map(({ event }) => event)).toContain("policy.created");
    expect((await one.call(ada, "DELETE", PATH, { ifMatch: '"1"' })).status).toBe(200);
    expect(reads(one, org).allowed).toBe(true);
    await other.policies.own.follow();
    expect(reads(other, org).allowed).toBe(true);
  });

  test("what an organization has removed is not kept in memory, also on another server, and the rest is not parsed anew", async () => {
    const { place, one, ada, org } = await acme();
    await using _ = place;
    const other = await place.node({ isPolicied: true });
    const put = (name: string) =>
      one.call(ada, "PUT", `/api/orgs/acme/policies/${name}`, {
        ...{ body: { text: NO_SUPPORT }, ifMatch: "" },
        headers: { "if-none-match": "*" },
      });
    const parsed = async () => {
      await other.policies.own.follow();
      return [one, other].flatMap(({ policies }) =>
        ["kept", "gone"].map((name) => policies.own.find(`${org}/${name}`)),
      );
    };
    for (const name of ["kept", "gone"]) expect((await put(name)).status).toBe(201);
    const before = await parsed();
    expect((await one.call(ada, "DELETE", "/api/orgs/acme/policies/gone", { ifMatch: "*" })).status).toBe(200);
    const between = await parsed();
    expect((await put("gone")).status).toBe(201);
    const after = await parsed();
    for (const at of [0, 2]) {
      expect([between[at] === before[at], after[at] === before[at]]).toEqual([true, true]);
      expect([between[at + 1], after[at + 1] === before[at + 1]]).toEqual([undefined, false]);
      expect(after[at + 1]).toEqual(before[at + 1]);
    }
  });

  test("only who administers an organization sees and changes its policies, and always can", async () => {
    const { place, one, ada, bob } = await acme();
    await using _ = place;
    const everything = { text: "forbid (principal, action, resource);" };
    const make = { body: everything, ifMatch: "", headers: { "if-none-match": "*" } };
    expect((await one.call(bob, "PUT", PATH, make)).status).toBe(404);
    expect((await one.call(bob, "GET", PATH)).status).toBe(404);
    expect((await one.call(ada, "PUT", PATH, make)).status).toBe(201);
    expect((await one.call(ada, "GET", "/api/orgs/acme")).status).toBe(404);
    expect((await one.call<OrganizationPolicy>(ada, "GET", PATH)).json).toMatchObject(everything);
    expect((await one.call(ada, "DELETE", PATH)).status).toBe(200);
    expect((await one.call(ada, "GET", "/api/orgs/acme")).status).toBe(200);
  });

  test("a change has to know what it changes", async () => {
    const { place, one, ada } = await acme();
    await using _ = place;
    const put = (headers: Record<string, string>) =>
      one.call<Problem>(ada, "PUT", PATH, { body: { text: NO_SUPPORT }, ifMatch: "", headers });
    expect((await put({})).status).toBe(428);
    expect((await put({ "if-match": '"1"' })).status).toBe(404);
    expect((await put({ "if-none-match": "*" })).status).toBe(201);
    expect((await put({ "if-none-match": "*" })).status).toBe(412);
    expect((await put({ "if-match": '"7"' })).json.code).toBe("version_mismatch");
    expect((await put({ "if-match": '"1"' })).headers.etag).toBe('"2"');
    expect((await one.call(ada, "DELETE", PATH, { ifMatch: '"1"' })).status).toBe(412);
  });

  test("what is no policy of an organization is refused with a sentence", async () => {
    const { place, one, ada } = await acme();
    await using _ = place;
    const put = (text: string, name = "x") =>
      one.call<Problem>(ada, "PUT", `/api/orgs/acme/policies/${name}`, {
        body: { text },
        ifMatch: "",
        headers: { "if-none-match": "*" },
      });
    const wrong: [string, RegExp][] = [
      ["permit (principal, action, resource);", /can only forbid/],
      ["forbid everything;", /no Cedar/],
      [`${NO_SUPPORT}\n${NO_SUPPORT}`, /one policy/],
      ["", /text/],
      ["// nothing", /one policy/],
      ["forbid (principal, action, resource) when { resource.colour == 3 };", /colour/],
      ["forbid (principal, action, resource is Thread) when { resource.owner == principal.id };", /owner/],
      [
        `forbid (principal, action, resource) when { principal.id like "user-*" && resource.visibility like "p*" };`,
        /like/,
      ],
      [`forbid (principal, action, resource == Thread::"T-1");`, /head/],
    ];
    for (const [text, sentence] of wrong) {
      const { status, json } = await put(text);
      expect([text, status]).toEqual([text, 400]);
      expect(json.detail).toMatch(sentence);
    }
    expect((await put(NO_SUPPORT, "No_Support")).json.detail).toMatch(/name/);
    for (let index = 0; index < 20; index += 1) expect((await put(NO_SUPPORT, `p${index}`)).status).toBe(201);
    expect((await put(NO_SUPPORT, "one-more")).json.detail).toMatch(/at most 20/);
  });

  test("somebody is told why he may or may not", async () => {
    const { place, one, ada, bob, org } = await acme();
    await using _ = place;
    const ask = (query: Record<string, string>, as = "owner") =>
      one.call<PolicyExplanation & Problem>(as, "GET", `/api/admin/policy/explain?${new URLSearchParams(query)}`);
    const thread = { action: "read", resource: "thread", owner: ada, organization: org, visibility: "organization" };
    expect((await ask({ subject: "ada", ...thread })).json).toMatchObject({
      allowed: true,
      policy: "threads.own",
      text: expect.stringContaining("resource.owner == principal.id"),
    });
    const { json } = await ask({ subject: "bob", ...thread });
    expect(json).toMatchObject({ allowed: false, policy: "default", text: "" });
    expect(json.needed).toContainEqual({
      policy: "threads.organization",
      says: "Members read the threads that are there for their organization.",
      missing: "when { principal.memberOf.contains(resource.organization) }",
    });
    expect((await ask({ subject: ada, ...thread, scopes: "llm:use" })).json).toMatchObject({
      allowed: false,
      policy: "limits.scopes",
    });
    expect((await ask({ subject: "nobody", ...thread })).json.detail).toMatch(/There is no user "nobody"/);
    expect((await ask({ subject: "ada", action: "fly", resource: "thread" })).json.detail).toMatch(
      /actions are create, delete, read/,
    );
    expect((await ask({ subject: "ada", action: "read", resource: "hat" })).json.detail).toMatch(
      /There is no resource/,
    );
    expect((await ask({ subject: "ada", ...thread }, bob)).status).toBe(403);
  });
});
