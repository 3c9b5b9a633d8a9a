import { join } from "node:path";
import { ConfigError, type Environment, readSecretFile } from "@loom/config";
import { type GoogleCredential, parseGoogleCredential } from "./google-credential.ts";

export type VertexConfig = {
  readonly project: string;
  /** A region, a multi-region (`us`, `eu`) or `global`. */
  readonly location: string;
  /** Absent: whoever stands at the address adds what Google wants. */
  readonly credential?: GoogleCredential;
};

const CREDENTIALS = "LOOM_SERVER_VERTEX_CREDENTIALS_FILE";
/** A variable of Google's own libraries. */
const SHARED_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS";
const METADATA_HOST = "metadata.google.internal";

/** The newest models are there before they are in any region, and some nowhere else. */
const DEFAULT_LOCATION = "global";

type Options = {
  readonly warn?: (sentence: string) => void;
  /** Another server stands in Google's place: it gets tokens only where a credential was given for Vertex AI itself. */
  readonly elsewhere: boolean;
};

/**
 * Vertex AI, where a project or a credential is set up for it. Credentials of the environment are looked for as Google's
 * own libraries do: https://google.aip.dev/auth/4110
 * @throws ConfigError that names the variable or the file.
 */
export function readVertexConfig(env: Environment, options: Options): VertexConfig | undefined {
  const named = env.LOOM_SERVER_VERTEX_PROJECT ?? "";
  if (named === "" && (env[CREDENTIALS] ?? "") === "") return undefined;
  const credential = readCredential(env, options);
  const inFile = credential?.type === "service_account" ? (credential.project ?? "") : "";
  const project = named === "" ? inFile : named;
  if (project === "") {
    throw new ConfigError("LOOM_SERVER_VERTEX_PROJECT has to name the project: the credential file does not.");
  }
  const location = env.LOOM_SERVER_VERTEX_LOCATION || DEFAULT_LOCATION;
  for (const [variable, value] of [
    ["LOOM_SERVER_VERTEX_PROJECT", project],
    ["LOOM_SERVER_VERTEX_LOCATION", location],
  ] as const) {
    // Both become part of an address.
    if (!/^[a-z][a-z0-9:.-]{0,98}$/.test(value)) throw new ConfigError(`${variable} is not a name that Google gives.`);
  }
  // The location becomes part of a host name, too.
  if (/[:.]/.test(location)) throw new ConfigError("LOOM_SERVER_VERTEX_LOCATION is not a name that Google gives.");
  return { project, location, ...(credential === undefined ? {} : { credential }) };
}

function readCredential(env: Environment, options: Options): GoogleCredential | undefined {
  const own = env[CREDENTIALS] ?? "";
  if (own !== "") return readFile(own, CREDENTIALS, options);
  if (options.elsewhere) return undefined;
  const shared = env[SHARED_CREDENTIALS] ?? "";
  if (shared !== "") return readFile(shared, SHARED_CREDENTIALS, options);
  const ofGcloud = wellKnownFile(env);
  if (ofGcloud !== undefined) {
    try {
      return readFile(ofGcloud, "gcloud", options);
    } catch (error) {
      if (!(error instanceof ConfigError && error.cause === "ENOENT")) throw error;
    }
  }
  return { type: "metadata", host: env.GCE_METADATA_HOST || METADATA_HOST };
}

/** Where `gcloud auth application-default login` leaves its file. */
function wellKnownFile(env: Environment): string | undefined {
  const name = "application_default_credentials.json";
  const directory = env.CLOUDSDK_CONFIG || undefined;
  if (directory !== undefined) return join(directory, name);
  if (process.platform === "win32") return env.APPDATA ? join(env.APPDATA, "gcloud", name) : undefined;
  return env.HOME ? join(env.HOME, ".config", "gcloud", name) : undefined;
}

function readFile(path: string, origin: string, { warn }: Options): GoogleCredential {
  const { text, readableByOthers } = readSecretFile(path, origin);
  const credential = parseGoogleCredential(text, path);
  if (readableByOthers && credential.type !== "external_account") {
    warn?.(`${path}, named by ${origin}, can be read by other users: run "chmod 600 ${path}".`);
  }
  return credential;
}
