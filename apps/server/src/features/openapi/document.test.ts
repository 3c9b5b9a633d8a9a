import { api, type Contract, type ReplyKind } from "@loom/api";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
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

  test("has patterns that are regular expressions, and no rest of JavaScript's way to write them", async () => {
    const patterns = [...JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, text]) =>
      JSON.parse(text ?? ""),
    );
    expect(patterns.length).toBeGreaterThan(10);
    for (const pattern of patterns) {
      expect(() => new RegExp(pattern, "u"), pattern).not.toThrow();
      expect(pattern).not.toMatch(/(?<!\\)\/[a-z]*$/);
    }
  });

  test("says which fields may be left out", async () => {
    for (const contract of CONTRACTS) {
      const { body, query } = await contract.schemas();
      const operation = `#/paths/${contract.path.replaceAll("/", "~1")}/${contract.method.toLowerCase()}`;
      const parameters = (at(document, operation) as { parameters?: Json[] }).parameters ?? [];
      for (const [name, field] of Object.entries(query?.shape ?? {})) {
        const parameter = parameters.find((each) => each.in === "query" && each.name === name);
        const isNeeded = field._zod.optin === undefined;
        expect([operation, name, parameter?.required === true]).toEqual([operation, name, isNeeded]);
      }
      if (!(body instanceof z.ZodObject)) continue;
      const content = Object.values(at(document, `${operation}/requestBody/content`) as Record<string, Json>);
      const schema = content[0]?.schema as Json;
      const { required } = (typeof schema.$ref === "string" ? at(document, schema.$ref) : schema) as Json;
      const needed = Object.entries(body.shape).filter(([, field]) => field._zod.optin === undefined);
      expect([operation, required ?? []]).toEqual([operation, needed.map(([name]) => name)]);
    }
  });

  test("describes nothing that the server does not have", async () => {
    const { paths } = document;
    expect(Object.keys(paths as Json).sort()).toEqual([...new Set(CONTRACTS.map(({ path }) => path))].sort());
  });
});
