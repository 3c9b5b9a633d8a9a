import { api, type CredentialChange, type CredentialInfo } from "@loom/api";
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
    route(api.credentials.add, access, async ({ body, audit }) => {
      const added = await told(service.add(body));
      await audit({ event: "credential.added", outcome: "success", target: targetOf(added), after: factsOf(added) });
      return new Reply(added, { status: 201 });
    }),
    route(api.credentials.change, { action: "administer", resource: one }, async ({ params, body, audit }) => {
      const changed = await told(service.change(params.id, body));
      await audit({ event: eventOf(body), outcome: "success", target: targetOf(changed), after: factsOf(changed) });
      return changed;
    }),
    route(api.credentials.delete, { action: "administer", resource: one }, async ({ params, audit }) => {
      const removed = await told(service.remove(params.id));
      await audit({
        event: "credential.deleted",
        outcome: "success",
        target: targetOf(removed),
        before: factsOf(removed),
      });
      return removed;
    }),
  ];
}

function eventOf({ enabled }: CredentialChange) {
  if (enabled === undefined) return "credential.changed";
  return enabled ? "credential.enabled" : "credential.disabled";
}

function targetOf({ id, label }: CredentialInfo) {
  return { type: "credential", id, name: label } as const;
}

function factsOf({ provider, kind, weight, state, fingerprint }: CredentialInfo) {
  return { provider, kind, weight, state, fingerprint } as const;
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
