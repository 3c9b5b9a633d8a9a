/** What requests are charged to at the moment; a limit on anything else would hold nobody. */
export const BUDGET_KINDS: readonly string[] = ["token", "api_key", "user", "team", "organization", "model", "session"];

/** Longest id of a node that can be limited. */
export const MAX_BUDGET_ID = 256;
