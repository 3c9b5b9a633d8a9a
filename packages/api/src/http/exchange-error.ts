/** How far an exchange came, and what stopped it. */
export type ExchangeFailure =
  /** The signal fired. */
  | "cancelled"
  /** A deadline passed. */
  | "timeout"
  /** No connection, or it broke. */
  | "connection"
  /** The body is larger than allowed. */
  | "too_large";

/**
 * An HTTP exchange that came to nothing. `message` is the second half of a sentence whose first half names the other
 * side, e.g. "refused the connection".
 */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly failure: ExchangeFailure;

  constructor(failure: ExchangeFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** What Node's socket, DNS, TLS and HTTP errors mean, in words. */
export function connectionError(error: unknown): ExchangeError {
  if (error instanceof ExchangeError) return error;
  return new ExchangeError("connection", clauseOf(codeOf(error)), { cause: error });
}

/** The `code` of a Node error, or "". */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function clauseOf(code: string): string {
  switch (code) {
    case "ECONNREFUSED":
      return "refused the connection";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "has a host name that cannot be resolved";
    case "ECONNRESET":
    case "EPIPE":
      return "closed the connection";
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `cannot be reached (${code})`;
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return "does not speak TLS";
  }
  if (code.startsWith("HPE_")) return `does not speak HTTP (${code})`;
  // Of OpenSSL about the handshake: what is wrong with certificates has names without this beginning.
  if (code.startsWith("ERR_SSL_")) return `does not agree with this machine on TLS (${code})`;
  if (/CERT|SIGNATURE|TLS/.test(code))
    return `has a certificate that this machine does not trust (${code}; NODE_EXTRA_CA_CERTS can name further authorities)`;
  return code === "" ? "broke the connection" : `cannot be used (${code})`;
}
