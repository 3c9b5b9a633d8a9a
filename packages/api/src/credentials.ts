/** `disabled` stays so until somebody enables it; `cooling_down` ends by itself. */
export type CredentialState = "available" | "cooling_down" | "disabled";

/** How much of a provider's credentials can be used now. */
export type CredentialHealth = "all" | "some" | "none";

/** A provider's credential without the credential itself, which nobody can read. Times are RFC 3339. */
export type CredentialInfo = {
  readonly id: string;
  readonly provider: string;
  /** Unique among the stored ones. */
  readonly label: string;
  readonly kind: "api_key" | "oauth";
  /** Those of the environment are changed there. */
  readonly source: "stored" | "environment";
  readonly state: CredentialState;
  /** Why it is in this state. */
  readonly reason: string | null;
  readonly since: string | null;
  /** When it has cooled down. */
  readonly until: string | null;
  /** Of an access token, which is refreshed before. */
  readonly expiresAt: string | null;
  /** The first 12 hex digits of the SHA-256 of a key of at least 20 characters. */
  readonly fingerprint: string | null;
  /** Its share of the requests, compared with the others of the provider. */
  readonly weight: number;
  readonly createdAt: string | null;
};

export type ProviderCredentials = {
  readonly provider: string;
  readonly health: CredentialHealth;
  readonly available: number;
  readonly coolingDown: number;
  readonly disabled: number;
};

export type CredentialList = {
  readonly credentials: readonly CredentialInfo[];
  readonly providers: readonly ProviderCredentials[];
};

export type ApiKeySecret = { readonly type: "api_key"; readonly key: string };

/** An account that hands out access tokens by OAuth 2.0 (RFC 6749, section 6). */
export type OAuthSecret = {
  readonly type: "oauth";
  readonly refreshToken: string;
  /** https, or http on the loopback interface. */
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly accessToken?: string;
  /** When the access token ends. Without it, a new one is asked for before the first request. */
  readonly expiresAt?: string;
};

export type CredentialSecret = ApiKeySecret | OAuthSecret;

export type NewCredential = {
  readonly provider: string;
  /** Default: the provider's name and a number. */
  readonly label?: string;
  /** 1 (default) to 100. */
  readonly weight?: number;
  readonly secret: CredentialSecret;
};

/** What is left out stays as it is. `enabled: true` also ends a cool-down. */
export type CredentialChange = {
  readonly enabled?: boolean;
  readonly label?: string;
  readonly weight?: number;
};

/** Letters, digits and `._-`, beginning with a letter or digit, at most 64 characters. */
export const CREDENTIAL_LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const MAX_CREDENTIAL_WEIGHT = 100;
