import type { CredentialInfo } from "@loom/api";
import type { EnvironmentMember } from "./environment-members.ts";
import { GOOD_STANDING, type Standing } from "./pool-member.ts";
import type { StoredCredential } from "./store.ts";

/** `standing`: as it is in the pool, where there is one; else as it was written down. */
export function storedInfo(row: StoredCredential, standing: Standing): CredentialInfo {
  const { id, provider, label, kind, weight, fingerprint, createdAt } = row;
  return {
    ...{ id, provider, label, kind, weight, fingerprint, createdAt },
    source: "stored",
    ...standingInfo(standing),
    expiresAt: timeOf(row.expiresAt),
  };
}

export function credentialInfoOfEnvironment(
  { member, fingerprint }: EnvironmentMember,
  standing: Standing,
): CredentialInfo {
  return {
    id: member.id,
    provider: member.upstream,
    label: member.id,
    kind: "api_key",
    source: "environment",
    ...standingInfo(standing),
    expiresAt: null,
    fingerprint,
    weight: member.weight,
    createdAt: null,
  };
}

/** As it stands now: what has cooled down is available, whatever was written down. */
export function standingAt(standing: Standing, wall: number): Standing {
  return standing.state === "cooling_down" && (standing.until ?? 0) <= wall ? GOOD_STANDING : standing;
}

function standingInfo({ state, reason, since, until }: Standing) {
  return { state, reason: reason ?? null, since: timeOf(since), until: timeOf(until) };
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
