/** A policy of an organization, which takes something away from people in it. Times are RFC 3339. */
export type OrganizationPolicy = {
  readonly name: string;
  /** In Cedar: one `forbid`. */
  readonly text: string;
  readonly version: number;
  readonly updatedAt: string;
  /** Who wrote it last: the id of a user, a key or a token. */
  readonly updatedBy: string;
};

export type OrganizationPolicyList = { readonly policies: readonly OrganizationPolicy[] };

export type NewOrganizationPolicy = { readonly text: string };

/** Lower-case letters, digits and `-`, beginning with a letter, at most 63 characters. */
export const POLICY_NAME = /^[a-z][a-z0-9-]{0,62}$/;
export const MAX_POLICY_CHARACTERS = 8_000;

/** Why somebody may do something, or may not. */
export type PolicyExplanation = {
  readonly allowed: boolean;
  /** The policy that decided; `default` where none did. */
  readonly policy: string;
  /** What that is for, and its text; empty for `default`. */
  readonly says: string;
  readonly text: string;
  /** For what is denied because nothing allows it: the policies that could, each with what of it does not hold. */
  readonly needed: readonly { readonly policy: string; readonly says: string; readonly missing: string }[];
};
