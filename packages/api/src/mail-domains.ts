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

export type MailDomainList = { readonly domains: readonly MailDomainInfo[]; readonly nextCursor: string | null };
