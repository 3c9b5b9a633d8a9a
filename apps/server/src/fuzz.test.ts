import { api, type Contract } from "@loom/api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines, type TestHome } from "./kit/engines.testing.ts";
import { type PlainRequest, REQUEST, send, startOwnerServer } from "./testing.ts";

const PATHS = Object.values(api).flatMap((group) => Object.values(group).map(({ path }) => path));

/** What people see in a browser: their refusals are pages too. */
const PAGES = Object.values(api)
  .flatMap((group): readonly Contract[] => Object.values(group))
  .filter(({ reply }) => reply === "html")
  .map(({ path }) => new RegExp(`^${path.replace(/\{\w+\}/g, "[^/?]*")}(?:\\?|$)`));

const segment = fc.oneof(
  fc.string(),
  fc.constantFrom("..", ".", "anthropic", "%00", "%2e%2e", "%", "*", ":id", "{x}", "\ud800"),
);
const path = fc.oneof(
  fc.tuple(fc.constantFrom(...PATHS), segment).map(([known, name]) => known.replace(/\{\w+\}/g, () => name)),
  fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join("/")}`),
);
/** What Node's client lets through; the server sees everything else in the tests with raw sockets. */
const sendable = path.map((text) =>
  text.replace(/[^\x21-\xff]/g, (character: string) => encodeURIComponent(character.toWellFormed())),
);

const body = fc.oneof(
  fc.string(),
  fc.uint8Array(),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.jsonValue().map((value) => JSON.stringify({ ...REQUEST, messages: value })),
  fc.string().map((model) => JSON.stringify({ ...REQUEST, model })),
);

const request: fc.Arbitrary<PlainRequest> = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY"),
  path: fc.tuple(sendable, fc.constantFrom("", "?", "?a=1&a=2", "?%ff", "?__proto__=1")).map((parts) => parts.join("")),
  headers: fc.constantFrom<Record<string, string>>(
    { "content-type": "application/json" },
    { "content-type": "application/json; charset=latin1" },
    { "content-type": "multipart/form-data" },
    {},
  ),
  body,
});

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let server: Awaited<ReturnType<typeof startOwnerServer>>;
  beforeAll(async () => {
    home = await engine.create();
    server = await startOwnerServer({ script: () => ({ text: "Fine." }), server: { postgres: home.postgres } });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  test("no request whatever makes the server fail, and every refusal is a problem document", async () => {
    await fc.assert(
      fc.asyncProperty(request, async (each) => {
        const authorization = { authorization: `Bearer ${server.token}` };
        const { status, headers, text } = await send(server.server.url, {
          ...each,
          headers: { ...authorization, ...each.headers },
        });
        expect(status).toBeLessThan(500);
        if (status < 400) return;
        // Below the names of dialects, errors are in the words of their clients.
        if (/^\/(?:anthropic|openai|gemini|chat|responses|proxy)\//.test(each.path) && isForeign(headers)) return;
        if (PAGES.some((page) => page.test(each.path)) && headers["content-type"]?.startsWith("text/html")) return;
        expect(headers["content-type"]).toBe("application/problem+json");
        if (each.method !== "HEAD")
          expect(JSON.parse(text)).toMatchObject({ status, instance: headers["x-request-id"] });
      }),
      { numRuns: 500 },
    );
  });
});

function isForeign(headers: { readonly [name: string]: unknown }): boolean {
  return headers["content-type"] === "application/json";
}
