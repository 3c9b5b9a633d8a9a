import { api, type Contract, type ReplyKind } from "@loom/api";
import { beforeAll, describe, expect, test } from "vitest";
import { send, startOwnerServer } from "../../testing.ts";
import { NO_SIGN_IN } from "../sign-in/sign-in-config.ts";

type Json = { readonly [name: string]: unknown };

/** Of a server that stays, which has more routes than one of a few turns. */
async function fetchDocument(): Promise<Json> {
  // With everything that a server can have.
  const signIn = { ...NO_SIGN_IN, developmentUser: "ada@example.com" };
  await using test = await startOwnerServer({ server: { signIn } });
  const headers = { authorization: `Bearer ${test.token}` };
  const answer = await send(test.server.url, { path: "/api/openapi.json", headers });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text);
}

/** Every `$ref` of a document, wherever it stands. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref" && typeof inner === "string" ? [inner] : references(inner),
  );
}

function at(document: unknown, pointer: string): unknown {
  return pointer
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((value, part) => (value as Json | undefined)?.[part.replaceAll("~1", "/")], document);
}

const CONTRACTS: readonly Contract[] = Object.values(api).flatMap((group) => Object.values(group));

const CONTENT_TYPES: Readonly<Record<ReplyKind, string>> = {
  json: "application/json",
  text: "text/plain",
  html: "text/html",
  "event-stream": "text/event-stream",
};

describe("the OpenAPI document", () => {
  let document: Json;
  beforeAll(async () => {
    document = await fetchDocument();
  });

  test("is of version 3.1 and asks for a bearer token everywhere", async () => {
    expect(document).toMatchObject({
      openapi: "3.1.0",
      info: { title: "Loom", version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    });
  });

  test.each<Contract>(CONTRACTS)("describes $method $path", async ({ method, path, operation, reply, mediaTypes }) => {
    const found = at(document, `#/paths/${path.replaceAll("/", "~1")}/${method.toLowerCase()}`);
    expect(found).toMatchObject({
      operationId: operation,
      summary: expect.any(String),
      responses: {
        200: { content: { [mediaTypes?.[0] ?? CONTENT_TYPES[reply]]: { schema: expect.any(Object) } } },
        default: { content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } },
      },
    });
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = (found as { parameters?: Json[] }).parameters ?? [];
    const inPath = parameters.filter((parameter) => parameter.in === "path");
    expect(inPath.map(({ name, required }) => [name, required])).toEqual(names.map((name) => [name, true]));
  });

  test("has no reference that leads nowhere, and none of the old nullable", async () => {
    const found = references(document);
    expect(found.length).toBeGreaterThan(5);
    for (const reference of found) expect(at(document, reference), reference).toBeTypeOf("object");
    expect(JSON.stringify(document)).not.toContain('"nullable"');
  });

  test("describes nothing that the server does not have", async () => {
    const { paths } = document;
    expect(Object.keys(paths as Json).sort()).toEqual([...new Set(CONTRACTS.map(({ path }) => path))].sort());
  });
});
