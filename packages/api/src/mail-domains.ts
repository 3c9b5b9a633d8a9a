/** A mail domain that an organization has, and whom its people sign in with. */
export type MailDomainInfo = {
  /** Lower case. */
  readonly domain: string;
  readonly organization: string;
  /** The name of a provider. */
  readonly provider: string;
  /** With nobody else. */
  readonly forced: boolean;
  readonly createdAt: string;
};

/** A mail domain that an organization says is its own. Times are RFC 3339. */
export type DomainClaim = {
  /** Lower case. */
  readonly domain: string;
  /** Its id. */
  readonly organization: string;
  /** `claimed`: has to be proven until `expiresAt`. */
  readonly state: "claimed" | "proven";
  /** What has to stand in the domain's records (RFC 1035) for it to be proven. */
  readonly record: { readonly name: string; readonly type: "TXT"; readonly value: string };
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly provenAt: string | null;
  /** The name of the provider that its people sign in with; null: whom they like. */
  readonly provider: string | null;
  /** With nobody else. */
  readonly forced: boolean;
  readonly version: number;
};

export type DomainClaimList = { readonly domains: readonly DomainClaim[]; readonly nextCursor: string | null };

export type MailDomainList = { readonly domains: readonly MailDomainInfo[]; readonly nextCursor: string | null };
