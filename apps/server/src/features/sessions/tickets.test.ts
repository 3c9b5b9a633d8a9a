import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, everythingIn } from "../../kit/engines.testing.ts";
import { type Node, ORIGIN, type SessionHouse, sessionHouse } from "./sessions.testing.ts";
import { createTickets, type Tickets } from "./tickets.ts";

describe.each(engines)("on $name", (engine) => {
  let house: SessionHouse;
  let node: Node;
  let tickets: Tickets;
  let user: string;
  let session: string;

  beforeEach(async () => {
    house = await sessionHouse(engine);
    node = await house.node();
    const database = await house.home.open();
    tickets = createTickets({ database: async () => database, sessions: node.sessions, wall: house.now });
    user = (await node.users.create({ email: "ada@example.com" })).id;
    session = (await node.sessions.start({ userId: user, kind: "web", origin: ORIGIN }))?.id ?? "";
  });

  afterEach(() => house[Symbol.asyncDispose]());

  test("a ticket opens one door, for whoever comes first", async () => {
    const { ticket, expiresAt } = await tickets.issue(session);
    expect(expiresAt).toBe(new Date(house.now() + 30_000).toISOString());
    expect(await everythingIn(house.home)).not.toContain(ticket.slice(3, 20));
    const subjects = await Promise.all([1, 2, 3].map(() => tickets.redeem(ticket)));
    expect(subjects.filter((each) => each !== undefined)).toMatchObject([{ id: user, via: { id: session } }]);
    expect(await tickets.redeem(ticket)).toBeUndefined();
  });

  test("it is good for thirty seconds, and no longer than its session", async () => {
    const [late, ended] = [await tickets.issue(session), await tickets.issue(session)];
    house.pass(29_999);
    await node.sessions.end(session);
    expect(await tickets.redeem(ended.ticket)).toBeUndefined();
    house.pass(1);
    expect(await tickets.redeem(late.ticket)).toBeUndefined();
  });

  test("what is no ticket opens nothing, and what is old goes", async () => {
    const { ticket } = await tickets.issue(session);
    for (const wrong of ["", "lw_", `ls_${ticket.slice(3)}`, `${ticket}x`, `lw_${"A".repeat(43)}`]) {
      expect(await tickets.redeem(wrong)).toBeUndefined();
    }
    house.pass(30_000);
    await tickets.removeExpired();
    house.pass(-1);
    expect(await tickets.redeem(ticket)).toBeUndefined();
  });
});
