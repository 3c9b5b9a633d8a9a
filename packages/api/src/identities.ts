/** Somebody whom the server believes who a person is. */
export type SignInProvider = {
  /** In addresses: `okta`. */
  readonly name: string;
  /** For people: `Okta`. */
  readonly label: string;
};

/** An account at a provider that belongs to a user. Times are RFC 3339. */
export type IdentityInfo = {
  readonly id: string;
  readonly provider: string;
  readonly issuer: string;
  /** What the issuer calls the person. */
  readonly subject: string;
  /** As the provider said it last. */
  readonly email: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
};
