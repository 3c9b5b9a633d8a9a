import { TokenFileError } from "./features/owner/token-file.ts";
import { PolicyError } from "./features/policy/policy-error.ts";
import { DatabaseError } from "./kit/database-error.ts";
import { LogFileError } from "./kit/log.ts";

/** Why the server could not start, as one sentence; `undefined` for what only a mistake of ours explains. */
export function describeStartError(error: unknown): string | undefined {
  if (error instanceof PolicyError) return `The policies cannot be used: ${error.message}`;
  if (error instanceof DatabaseError || error instanceof TokenFileError || error instanceof LogFileError)
    return error.message;
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const place = "address" in error && "port" in error ? `${error.address}:${error.port}` : "The address";
  switch (error.code) {
    case "ENOENT":
      if (!("path" in error && String(error.path).endsWith(".wasm"))) break;
      return `The policy engine is not where it should be (${error.path}): install Loom again, with every file of it.`;
    case "EADDRINUSE":
      return `${place} is in use: stop the process that listens there, or choose another port with --listen.`;
    case "EADDRNOTAVAIL":
      return `${place} is no address of this machine: choose another one with --listen.`;
    case "EACCES":
      return `${place} may not be listened on by this user: choose a port above 1023 with --listen.`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "The host name of --listen cannot be resolved: use an address, e.g. 127.0.0.1.";
  }
  const code = String(error.code);
  if (code.startsWith("ERR_OSSL") || code.startsWith("ERR_TLS") || code.startsWith("ERR_CRYPTO")) {
    return `The certificate or the key for TLS cannot be used (${code}): both have to be PEM and belong together.`;
  }
  return undefined;
}
