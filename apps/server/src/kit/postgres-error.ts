import { DatabaseError, DatabaseUnavailable } from "./database-error.ts";

/** Conditions of PostgreSQL (postgresql.org/docs/15/errcodes-appendix.html), of Node and of OpenSSL. */
const CLAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "cannot be reached (ECONNREFUSED): start PostgreSQL there, or correct the address",
  ENOENT: "cannot be reached (ENOENT): there is no socket of PostgreSQL in that directory",
  ENOTFOUND: "cannot be reached (ENOTFOUND): correct the host name",
  EAI_AGAIN: "cannot be reached (EAI_AGAIN): the host name cannot be resolved now, try again",
  "28P01": "refuses the password: correct it in the URL",
  "28000": "refuses the user: correct it in the URL, or let it in by pg_hba.conf",
  "3D000": "does not exist: make it with createdb, or correct its name in the URL",
  "42501": "may not be changed by this user: make it the owner of the database, or grant it CREATE on the schema",
  "25006": "is read-only: give the address of the primary and not that of a standby",
  "53100": "cannot grow, because the disk is full: make room",
  "53200": "has no memory left: give its machine more, or lower its settings",
  "53300": "has no connection left: raise max_connections, or lower LOOM_SERVER_DATABASE_POOL",
  "55P03": "is locked by another process: try again",
  "57014": "took too long to answer: see LOOM_SERVER_DATABASE_STATEMENT_TIMEOUT",
  "58030": "cannot be read or written (I/O error): check the disk",
  XX001: "is damaged: restore it from a backup",
  XX002: "has a damaged index: make it anew with REINDEX, or restore a backup",
  "57P03": "is starting or stopping: try again in a moment",
  DEPTH_ZERO_SELF_SIGNED_CERT: "has a certificate that nobody vouches for: name its authority with sslrootcert",
  SELF_SIGNED_CERT_IN_CHAIN: "has a certificate of an unknown authority: name that with sslrootcert",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "has a certificate of an unknown authority: name that with sslrootcert",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "has a certificate of an unknown authority: name that with sslrootcert",
  ERR_TLS_CERT_ALTNAME_INVALID: "has a certificate for another name: correct the host, or say sslmode=verify-ca",
  CERT_HAS_EXPIRED: "has a certificate that has expired: renew it",
};

/** No TLS: `pg` has no code for it. */
const NO_TLS = "does not speak TLS: turn ssl on there, or say sslmode=disable if the network itself is protected";

/** What an error of `pg` means, in words: the second half of a sentence. Never holds the password. */
export function postgresError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const { code, message } = about(error);
  if (message.includes("does not support SSL")) return new DatabaseError(NO_TLS, { cause: error });
  const clause = CLAUSES[code] ?? (isOutage(error) ? `cannot be reached (${code || message})` : undefined);
  return new DatabaseError(clause ?? `cannot be used (${code === "" ? "" : `${code}: `}${message})`, { cause: error });
}

/** The error as it is, unless it says that the database is away, or can do nothing for now. */
export function withOutageNamed(error: unknown, place: string): unknown {
  if (error instanceof DatabaseError) return error;
  const isAway = isOutage(error);
  const { code } = about(error);
  if (!isAway && !UNABLE.test(code)) return error;
  const clause = postgresError(error).message;
  const known = !isAway && code in CLAUSES ? clause : undefined;
  return new DatabaseUnavailable(`The database ${place} ${clause}.`, {
    cause: error,
    tells: known && `The database of the Loom server ${known}.`,
    isDamage: DAMAGE.test(code),
  });
}

/** Out of resources, an I/O error, damage; the connection is as good as before. */
const UNABLE = /^(53...|58030|XX00[12])$/;
const DAMAGE = /^XX00[12]$/;

/** Whether the connection is of no more use. */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseUnavailable) return true;
  const { code, message } = about(error);
  if (/^(08...|57P0[1-5]|53300|25006)$/.test(code) || NETWORK.has(code)) return true;
  return /^(Connection terminated|timeout (exceeded )?when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed)/.test(
    message,
  );
}

const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

function about(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return about(error.errors[0]);
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  return { code: "code" in error ? String(error.code) : "", message: error.message };
}
