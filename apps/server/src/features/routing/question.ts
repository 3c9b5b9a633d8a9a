import type { RouteDialect } from "@loom/api";
import type { RouteRequest } from "../../gateway-types.ts";
import { affinityOf } from "../gateway/affinity.ts";

/** What a person asks to have explained. */
export type RouteQuestion = {
  readonly model: string;
  readonly provider?: string | undefined;
  readonly dialect?: RouteDialect | undefined;
  /** `kind/id`; default: the owner. */
  readonly subject?: string | undefined;
  readonly session?: string | undefined;
};

/** The request that would be routed. */
export function requestOf({ model, provider, dialect, subject = "token/owner", session }: RouteQuestion): RouteRequest {
  const slash = subject.indexOf("/");
  const nodes = [{ kind: subject.slice(0, Math.max(0, slash)), id: subject.slice(slash + 1) }];
  return {
    model,
    nodes,
    ...(provider === undefined || provider === "default" ? {} : { upstream: provider }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(session === undefined ? {} : { affinity: affinityOf(nodes, session) }),
  };
}
