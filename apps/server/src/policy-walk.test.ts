// Every route of a server that stays, and what the policies say about it.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EveryRoute, everyRoute } from "./every-route.testing.ts";
import { book, user } from "./features/policy/policy.testing.ts";
import type { Authorize, Resource } from "./kit/policy.ts";
import type { Route } from "./kit/route.ts";
import { ANONYMOUS, OWNER, type Subject } from "./kit/subject.ts";

let every: EveryRoute;
let routes: readonly Route[] = [];
let authorize: Authorize;

beforeAll(async () => {
  every = await everyRoute();
  ({ routes, authorize } = every);
});
afterAll(() => every.close());

/** What a route is about for somebody who fills in names that are plausible and of nothing that there is. */
async function resourceOf(route: Route, subject: Subject): Promise<Resource | undefined> {
  const names = [...route.contract.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const resource = await route.resourceOf(Object.fromEntries(names.map((name) => [name, "nothing-1"])), subject);
  return resource;
}

function nameOf({ contract: { method, path } }: Route): string {
  return `${method} ${path}`;
}

test("every route asks what the schema lets somebody ask", async () => {
  expect(routes.length).toBeGreaterThan(60);
  const actions = new Set(book.questions.map((each) => each.split(" ")[0]));
  for (const route of routes) {
    expect([nameOf(route), actions.has(route.action)]).toEqual([nameOf(route), true]);
    const resource = await resourceOf(route, OWNER);
    // The owner may ask everything, so that what stops him is only a question that the schema does not know.
    const said = resource === undefined ? "not there" : authorize(OWNER, route.action, resource).policy;
    expect([nameOf(route), said]).not.toEqual([nameOf(route), "unknown-question"]);
  }
});

async function openTo(subject: Subject): Promise<Route[]> {
  const open: Route[] = [];
  for (const route of routes) {
    const resource = await resourceOf(route, subject);
    if (resource !== undefined && authorize(subject, route.action, resource).allowed) open.push(route);
  }
  return open;
}

test("nobody in particular gets nothing but what is for everybody", async () => {
  for (const route of await openTo(ANONYMOUS)) {
    expect([nameOf(route), route.action]).toEqual([nameOf(route), "visit"]);
  }
});

test("a stranger who is signed in gets what is his own, what is for everybody, and nothing else", async () => {
  const stranger = user("user-stranger");
  for (const route of await openTo(stranger)) {
    const { owner, type } = (await resourceOf(route, stranger)) as Resource;
    const isOpen = owner === stranger.id || route.action === "visit" || OPEN.has(`${route.action} ${type}`);
    expect([nameOf(route), isOpen]).toEqual([nameOf(route), true]);
  }
});

/** What whoever is signed in may do about what is not his. */
const OPEN: ReadonlySet<string> = new Set([
  "read model",
  "use model",
  "read user",
  "use sign_in",
  "use invitation",
  "create organization",
  // The list of those that one may see.
  "read organization",
]);

test("a key without scopes gets nothing but who it is", async () => {
  const key = user("user-stranger", { via: { type: "key", id: "key-1" }, scopes: [] });
  for (const route of await openTo(key)) {
    const resource = await resourceOf(route, key);
    const isOpen = route.action === "visit" || (route.action === "read" && resource?.type === "user");
    expect([nameOf(route), isOpen]).toEqual([nameOf(route), true]);
  }
});
