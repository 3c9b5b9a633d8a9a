import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { BodyKind, BodyOf, Contract, QueryOf, RouteSchemas } from "@loom/api";
import { excessClause, JSON_BOUNDS, jsonExcess, LARGE_JSON } from "@loom/core";
import type { z } from "zod";
import { ProblemError, wrongFields } from "./problem-reply.ts";

/**
 * Reads and validates what a route takes in.
 * @throws ProblemError that names the wrong field.
 */
export async function readInput<Path extends string, Schemas extends RouteSchemas>(
  contract: Contract<Path, Schemas>,
  request: IncomingMessage,
  query: URLSearchParams,
): Promise<{ query: QueryOf<Schemas>; body: BodyOf<Schemas> }> {
  if (contract.parseBody !== undefined) {
    const parsed = contract.parseBody(await readJson(request, contract.maxBodyBytes));
    if (!parsed.ok) throw wrongFields(parsed.errors);
    const asked = contract.parseQuery?.(Object.fromEntries(query));
    if (asked?.ok === false) throw wrongFields(asked.errors);
    return { query: asked?.value as QueryOf<Schemas>, body: parsed.value };
  }
  if (contract.method === "GET") {
    // A body of a GET means nothing (RFC 9110, 9.3.1): it is not read.
    const schemas = await contract.schemas();
    return { query: await validate(schemas.query, Object.fromEntries(query)), body: undefined as BodyOf<Schemas> };
  }
  const schemas = await contract.schemas();
  const body =
    schemas.body === undefined ? undefined : await readBodyAs(contract.bodyKind, request, contract.maxBodyBytes);
  return {
    query: await validate(schemas.query, Object.fromEntries(query)),
    body: await validate(schemas.body, body),
  };
}

function readBodyAs(kind: BodyKind = "json", request: IncomingMessage, maxBytes: number): Promise<unknown> {
  if (kind === "json") return readJson(request, maxBytes);
  return kind === "form" ? readForm(request, maxBytes) : readBody(request, maxBytes);
}

/** RFC 6749, 3.2: parameters do not come twice; the first of an unknown one counts as much as the last. */
async function readForm(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(request.headers["content-type"] ?? "")) {
    throw new ProblemError(
      "unsupported_media_type",
      "The body has to be a form, with Content-Type application/x-www-form-urlencoded.",
      { headers: { "accept-post": "application/x-www-form-urlencoded" } },
    );
  }
  const form = new URLSearchParams((await readBody(request, maxBytes)).toString("utf8"));
  const repeated = [...form.keys()].find((name) => form.getAll(name).length > 1);
  if (repeated !== undefined) throw wrongFields([{ field: repeated, message: "comes more than once" }]);
  return Object.fromEntries(form);
}

async function validate<Output>(schema: z.ZodType | undefined, value: unknown): Promise<Output> {
  if (schema === undefined) return undefined as Output;
  const result = schema.safeParse(value);
  if (result.success) return result.data as Output;
  const { fieldErrorsOf } = await import("./field-errors.ts");
  throw wrongFields(fieldErrorsOf(schema, value));
}

async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new ProblemError("unsupported_media_type", "The body has to be JSON, with Content-Type application/json.", {
      headers: { "accept-post": "application/json" },
    });
  }
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new ProblemError("unsupported_media_type", "The body has to come without Content-Encoding.");
  }
  const bytes = await readBody(request, maxBytes);
  if (!isUtf8(bytes)) throw notJson("is not UTF-8");
  const text = bytes.toString("utf8");
  const excess = text.length > LARGE_JSON ? jsonExcess(text, JSON_BOUNDS) : undefined;
  if (excess !== undefined) throw notJson(excessClause(excess, JSON_BOUNDS));
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the body.
    throw notJson("is not valid JSON");
  }
}

function notJson(message: string): ProblemError {
  return new ProblemError("invalid_input", `The body ${message}.`, { errors: [{ field: "", message }] });
}

function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): ProblemError =>
    new ProblemError("payload_too_large", `The body is larger than ${maxBytes} bytes.`);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    passOver(request);
    return Promise.reject(tooLarge());
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      request.off("data", onData);
      passOver(request);
      reject(tooLarge());
    };
    request.on("data", onData);
    request.once("end", () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.once("error", reject);
    request.once("close", () => {
      // It closes behind every body, too: an error for each would be dear.
      if (request.complete) return;
      reject(new ProblemError("invalid_input", "The connection closed within the body."));
    });
  });
}

/** Read of a body that is refused: a client that stops when it is told so can read the answer. */
const MAX_PASSED_OVER_BYTES = 1024 * 1024;

/** Reads on for a bounded while, and then hangs up: a client that sends all the same gets no more of our time. */
function passOver(request: IncomingMessage): void {
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_PASSED_OVER_BYTES) request.socket.destroy();
  });
}
