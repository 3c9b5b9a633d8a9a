import { api } from "@loom/api";
import type { Resource } from "../../kit/policy.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { CredentialError } from "./credential-error.ts";
import type { CredentialService } from "./service.ts";

export function credentialRoutes(service: CredentialService): Route[] {
  const access = { action: "administer", resource: { type: "credential" } } as const;
  const one = ({ id }: { readonly id: string }): Resource => ({ type: "credential", id });
  return [
    route(api.credentials.list, access, () => service.list()),
    route(api.credentials.add, access, async ({ body }) => new Reply(await told(service.add(body)), { status: 201 })),
    route(api.credentials.change, { action: "administer", resource: one }, ({ params, body }) =>
      told(service.change(params.id, body)),
    ),
    route(api.credentials.delete, { action: "administer", resource: one }, ({ params }) =>
      told(service.remove(params.id)),
    ),
  ];
}

/** Mistakes of the asker become problem documents. */
async function told<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    throw new ProblemError(CODES[error.reason], error.message);
  }
}

const CODES = {
  wrong: "invalid_input",
  taken: "invalid_input",
  unknown: "not_found",
  master_key: "unavailable",
} as const;
