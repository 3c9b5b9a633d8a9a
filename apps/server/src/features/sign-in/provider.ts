/** What a provider says of a person. */
export type Profile = {
  readonly issuer: string;
  /** What the issuer calls the person; never another one's. */
  readonly subject: string;
  readonly email: string | undefined;
  /** Whether the provider says that the address is the person's own. */
  readonly emailVerified: boolean;
  readonly displayName: string | undefined;
  readonly username: string | undefined;
};

/** What binds the answer of a provider to the question. */
export type FlowSecrets = { readonly state: string; readonly nonce: string; readonly verifier: string };

export type Provider = {
  readonly name: string;
  readonly label: string;
  /** Lower case; empty: it is believed about everybody. */
  readonly domains: readonly string[];
  /** Where the browser goes. @throws ProviderError */
  authorizationUrl(redirectUri: string, secrets: FlowSecrets): Promise<URL>;
  /** Who came back: `callback` is the address with everything that the provider has put behind it. @throws ProviderError */
  profile(callback: URL, secrets: FlowSecrets): Promise<Profile>;
};

/** A provider cannot be asked, or its answer is not to be believed. `reason` is for logs: a code, and nothing of the answer. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(`The provider's answer is not good enough (${reason}).`, options);
    this.reason = reason;
  }
}

/** @throws ProviderError in place of whatever the work throws. */
export async function asProviderError<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    throw new ProviderError(reasonOf(error), { cause: error });
  }
}

/** The innermost cause says most; its own words may be the provider's, so that only codes count. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error instanceof ProviderError) return error.reason;
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const { code, error: said } = error as { code?: unknown; error?: unknown };
  const parts = [code, said].filter((part): part is string => typeof part === "string" && /^[\w.-]{1,80}$/.test(part));
  return parts.length > 0 ? parts.join(" ") : error.name;
}
