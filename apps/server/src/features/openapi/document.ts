import { OpenAPIHono, z } from "@hono/zod-openapi";
import { type Contract, loadProblemSchema, PROBLEM_MEDIA_TYPE } from "@loom/api";
import { mendSchema } from "./mend-schema.ts";

const BODY_TYPES = {
  json: "application/json",
  form: "application/x-www-form-urlencoded",
  bytes: "application/octet-stream",
} as const;

export type OpenApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;

const CONTENT_TYPES = {
  json: "application/json",
  text: "text/plain",
  html: "text/html",
  "event-stream": "text/event-stream",
} as const;

/** OpenAPI 3.1: every contract with its input, its answer, and the problem document that any of them may give. */
export async function createDocument(contracts: readonly Contract[], version: string): Promise<OpenApiDocument> {
  const app = new OpenAPIHono();
  const problem = await loadProblemSchema();
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  for (const contract of contracts) app.openAPIRegistry.registerPath(await operationOf(contract, problem));
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Loom",
      version,
      description:
        "Every route that does not say otherwise needs a bearer token. Errors are problem documents (RFC 9457).",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
  });
  await mend(contracts, document);
  return document;
}

/** In the words of `mendSchema`, for all that was generated. */
async function mend(contracts: readonly Contract[], { paths, components }: OpenApiDocument): Promise<void> {
  const named = (components?.schemas ?? {}) as Record<string, unknown>;
  for (const contract of contracts) {
    const { query, body, response } = await contract.schemas();
    const operation = paths?.[contract.path]?.[contract.method.toLowerCase() as "get"];
    for (const parameter of operation?.parameters ?? []) {
      const field = "name" in parameter && parameter.in === "query" ? query?.shape[parameter.name] : undefined;
      if (field === undefined || !("name" in parameter)) continue;
      mendSchema(field, parameter.schema, named);
      if (field._zod.optin !== undefined) parameter.required = false;
    }
    const { requestBody, responses } = operation ?? {};
    if (body !== undefined && requestBody !== undefined && "content" in requestBody) {
      for (const { schema } of Object.values(requestBody.content)) mendSchema(body, schema, named);
    }
    const [first] = Object.values((responses?.["200"]?.content ?? {}) as Record<string, { readonly schema?: unknown }>);
    mendSchema(response, first?.schema, named);
  }
}

type Operation = Parameters<OpenAPIHono["openAPIRegistry"]["registerPath"]>[0];

async function operationOf(contract: Contract, problem: z.ZodType): Promise<Operation> {
  const { params, query, body, response } = await contract.schemas();
  return {
    method: contract.method.toLowerCase() as Operation["method"],
    path: contract.path,
    operationId: contract.operation,
    summary: contract.summary,
    ...(contract.anonymous && { security: [] }),
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(body && {
        body: { required: true, content: { [BODY_TYPES[contract.bodyKind ?? "json"]]: { schema: body } } },
      }),
    },
    responses: {
      200: { description: "Success", content: contentOf(contract, response) },
      default: { description: "What went wrong", content: { [PROBLEM_MEDIA_TYPE]: { schema: problem } } },
    },
  };
}

type Content = { readonly [mediaType: string]: { readonly schema: z.ZodType } };

function contentOf({ reply, mediaTypes = [CONTENT_TYPES[reply]] }: Contract, response: z.ZodType): Content {
  return Object.fromEntries(mediaTypes.map((type, index) => [type, { schema: index === 0 ? response : z.string() }]));
}
