import type { JsonObject, JsonValue, ToolDefinition } from "@loom/core";
import type * as z from "zod";
import type { Tool, ToolContext, ToolResult } from "./tool.ts";

/** How long a call may take if its tool says nothing else. */
const DEFAULT_DEADLINE_MS = 30_000;

type ToolSpecification<Schema extends z.ZodObject> = {
  readonly name: string;
  /** For the model. Every byte is sent with every request. */
  readonly description: string;
  readonly input: Schema;
  readonly effects: Tool["effects"];
  /** How long the call may take, in milliseconds; 30 s if absent. */
  readonly deadlineMs?: (input: z.output<Schema>) => number;
  /** One line for a person, e.g. `Read src/a.ts`. */
  readonly describe: (input: z.output<Schema>) => string;
  readonly run: (input: z.output<Schema>, context: ToolContext) => Promise<ToolResult>;
};

/** Makes a tool of a schema and a function. Zod is used through the schema only, so this file does not load it. */
export function defineTool<Schema extends z.ZodObject>(specification: ToolSpecification<Schema>): Tool {
  const { name, description, input: schema, effects, describe, deadlineMs, run } = specification;
  return {
    name,
    description,
    effects,
    definition: () => ({ name, description, inputSchema: inputSchemaOf(schema) }),
    prepare(input) {
      const parsed = schema.safeParse(withoutNulls(input));
      if (!parsed.success) return parsed.error.issues.slice(0, 5).map(describeIssue).join("; ");
      const { data } = parsed;
      return {
        title: describe(data),
        deadlineMs: deadlineMs?.(data) ?? DEFAULT_DEADLINE_MS,
        run: (context) => run(data, context),
      };
    },
  };
}

function inputSchemaOf(schema: z.ZodObject): ToolDefinition["inputSchema"] {
  // `input`: what has a default is optional for the model.
  const { $schema: _, ...jsonSchema } = schema.toJSONSchema({ io: "input" });
  return asJsonObject(JSON.parse(JSON.stringify(jsonSchema)));
}

function asJsonObject(value: JsonValue): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** Some models send `null` for an optional argument they do not use. */
function withoutNulls(input: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const where = issue.path.reduce<string>((path, key) => {
    if (typeof key === "number") return `${path}[${key}]`;
    return path === "" ? String(key) : `${path}.${String(key)}`;
  }, "");
  const what = issue.message.replace(/^Invalid input: /, "");
  return where === "" ? what : `${where}: ${what}`;
}
