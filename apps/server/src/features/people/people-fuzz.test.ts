import { api } from "@loom/api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { requestsOf } from "../../schema-fuzz.testing.ts";
import { createDocument } from "../openapi/document.ts";
import { town } from "./people.testing.ts";

const CONTRACTS = [api.users, api.organizations, api.teams].flatMap((group) => Object.values(group));

describe.each(engines)("on $name", (engine) => {
  test("whatever the API's own document lets one ask, by a person or by who runs the server, nothing fails", async () => {
    await using place = await town(engine);
    const node = await place.node();
    const ada = await node.person("ada");
    await node.call(ada.id, "POST", "/api/orgs", { body: { slug: "acme" } });
    const document = await createDocument(CONTRACTS, "1");
    const asked = fc.tuple(fc.constantFrom(ada.id, "owner"), requestsOf(document));
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(asked, async ([as, request]) => {
        const answer = await node.send(as, request);
        seen.add(answer.status);
        expect(answer.status).toBeLessThan(500);
        if (answer.status >= 400) expect(answer.headers["content-type"]).toBe("application/problem+json");
        const problem = JSON.parse(answer.text) as { readonly code?: string; readonly errors?: readonly unknown[] };
        if (answer.status === 400) expect(problem.errors).not.toHaveLength(0);
        expect(answer.text.length).toBeLessThan(100_000);
      }),
      { numRuns: 400 },
    );
    // It came as far as to do something.
    expect([200, 400, 404].filter((status) => !seen.has(status))).toEqual([]);
  });
});
