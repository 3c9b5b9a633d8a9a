import { ConfigError, Secret } from "@loom/config";

/** How Loom proves to Google who it is: what a credential file says, or the machine that it runs on. */
export type GoogleCredential =
  | ServiceAccount
  | AuthorizedUser
  | ExternalAccount
  | ImpersonatedAccount
  /** The account of the virtual machine, container or function; `host` answers without TLS, as Google has it. */
  | { readonly type: "metadata"; readonly host: string };

type FromFile = {
  /** For messages. */
  readonly file: string;
};

export type ServiceAccount = FromFile & {
  readonly type: "service_account";
  readonly email: string;
  readonly privateKey: Secret;
  readonly keyId?: string;
  readonly tokenUrl: string;
  readonly project?: string;
};

/** Whoever ran `gcloud auth application-default login`. */
export type AuthorizedUser = FromFile & {
  readonly type: "authorized_user";
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly refreshToken: Secret;
  readonly tokenUrl: string;
  /** Whose quota is used: a user has none. */
  readonly quotaProject?: string;
};

/** Workload identity federation: a token of somebody else's, exchanged for one of Google's (RFC 8693). */
export type ExternalAccount = FromFile & {
  readonly type: "external_account";
  readonly audience: string;
  readonly subjectTokenType: string;
  readonly tokenUrl: string;
  readonly source: SubjectTokenSource;
  /** As which service account Loom then acts. */
  readonly impersonationUrl?: string;
  readonly impersonationSeconds?: number;
  readonly quotaProject?: string;
};

/** `field`: the member of a JSON text that holds the token; absent: the text is the token. */
export type SubjectTokenSource =
  | { readonly type: "file"; readonly path: string; readonly field?: string }
  | {
      readonly type: "url";
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly field?: string;
    };

export type ImpersonatedAccount = FromFile & {
  readonly type: "impersonated_service_account";
  readonly by: ServiceAccount | AuthorizedUser | ExternalAccount;
  readonly impersonationUrl: string;
  readonly quotaProject?: string;
};

const TOKEN_URL = "https://oauth2.googleapis.com/token";

/** Where clouds tell a machine who it is. No secret is ever sent there. */
const INSTANCE_IDENTITY = "169.254.169.254";

/**
 * The credential in the text of a file: https://google.aip.dev/auth/4110
 * @throws ConfigError that names the file and the field, never a value.
 */
export function parseGoogleCredential(text: string, file: string): Exclude<GoogleCredential, { type: "metadata" }> {
  return readCredential(new Fields(parseJson(text, file), file));
}

/** What of a credential must not be seen. */
export function secretsOfGoogleCredential(credential: GoogleCredential): readonly Secret[] {
  switch (credential.type) {
    case "service_account":
      return [credential.privateKey];
    case "authorized_user":
      return [credential.clientSecret, credential.refreshToken];
    case "impersonated_service_account":
      return secretsOfGoogleCredential(credential.by);
    default:
      return [];
  }
}

function readCredential(fields: Fields): Exclude<GoogleCredential, { type: "metadata" }> {
  const { file } = fields;
  const type = fields.text("type");
  switch (type) {
    case "service_account":
      return {
        type,
        file,
        email: fields.text("client_email"),
        privateKey: fields.privateKey("private_key"),
        tokenUrl: fields.url("token_uri", TOKEN_URL),
        ...fields.optional("keyId", "private_key_id"),
        ...fields.optional("project", "project_id"),
      };
    case "authorized_user":
      return {
        type,
        file,
        clientId: fields.text("client_id"),
        clientSecret: new Secret(fields.text("client_secret")),
        refreshToken: new Secret(fields.text("refresh_token")),
        tokenUrl: fields.url("token_uri", TOKEN_URL),
        ...fields.optional("quotaProject", "quota_project_id"),
      };
    case "external_account":
      return readExternal(fields);
    case "impersonated_service_account": {
      const by = readCredential(fields.object("source_credentials"));
      if (by.type === "impersonated_service_account") fields.refuse("source_credentials", "impersonates once more");
      return {
        type,
        file,
        by,
        impersonationUrl: fields.url("service_account_impersonation_url"),
        ...fields.optional("quotaProject", "quota_project_id"),
      };
    }
    default:
      return fields.refuse(
        "type",
        "is none that Loom can use: it knows service_account, authorized_user, external_account and impersonated_service_account",
      );
  }
}

function readExternal(fields: Fields): ExternalAccount {
  const impersonation = fields.has("service_account_impersonation_url")
    ? { impersonationUrl: fields.url("service_account_impersonation_url") }
    : {};
  const lifetime = fields.has("service_account_impersonation")
    ? fields.object("service_account_impersonation").seconds("token_lifetime_seconds")
    : undefined;
  return {
    type: "external_account",
    file: fields.file,
    audience: fields.text("audience"),
    subjectTokenType: fields.text("subject_token_type"),
    tokenUrl: fields.url("token_url"),
    source: readSource(fields.object("credential_source")),
    ...impersonation,
    ...(lifetime === undefined ? {} : { impersonationSeconds: lifetime }),
    ...fields.optional("quotaProject", "quota_project_id"),
  };
}

function readSource(fields: Fields): SubjectTokenSource {
  const field = readFormat(fields);
  if (fields.has("file")) return { type: "file", path: fields.text("file"), ...field };
  if (fields.has("url") && !fields.has("environment_id")) {
    const headers = fields.has("headers") ? fields.object("headers").texts() : {};
    return { type: "url", url: fields.url("url", undefined, { instance: true }), headers, ...field };
  }
  return fields.refuse(
    "file",
    "is missing: Loom takes the token of another identity provider from a file or an address, and neither runs a program for it nor signs in to AWS",
  );
}

function readFormat(fields: Fields): { readonly field?: string } {
  if (!fields.has("format")) return {};
  const format = fields.object("format");
  return format.has("type") && format.text("type") === "json" ? { field: format.text("subject_token_field_name") } : {};
}

/** The members of a JSON object, with their path for messages. */
class Fields {
  readonly file: string;
  readonly #members: ReadonlyMap<string, unknown>;
  readonly #path: string;

  constructor(value: object, file: string, path = "") {
    this.#members = new Map(Object.entries(value));
    this.file = file;
    this.#path = path;
  }

  has(name: string): boolean {
    const value = this.#members.get(name);
    return value !== undefined && value !== null && value !== "";
  }

  text(name: string): string {
    const value = this.#members.get(name);
    return typeof value === "string" && value !== "" ? value : this.refuse(name, "is missing or no text");
  }

  /** In PEM, of RSA: what Google gives to service accounts. */
  privateKey(name: string): Secret {
    const pem = this.text(name);
    try {
      const { asymmetricKeyType } = process.getBuiltinModule("node:crypto").createPrivateKey(pem);
      if (asymmetricKeyType === "rsa") return new Secret(pem);
    } catch {
      // The library's own message may quote the key.
    }
    return this.refuse(name, "is no RSA key in PEM");
  }

  texts(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#members.keys()].map((name) => [name, this.text(name)]));
  }

  optional<Key extends string>(key: Key, name: string): { readonly [K in Key]?: string } {
    return this.has(name) ? ({ [key]: this.text(name) } as { readonly [K in Key]?: string }) : {};
  }

  seconds(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members.get(name);
    const seconds = typeof value === "number" && Number.isInteger(value) && value >= 600 && value <= 43_200;
    return seconds ? value : this.refuse(name, "has to be a number of seconds from 600 to 43200");
  }

  object(name: string): Fields {
    const value = this.#members.get(name);
    if (typeof value !== "object" || value === null) return this.refuse(name, "is missing or no object");
    return new Fields(value, this.file, `${this.#path}${name}.`);
  }

  /** Tokens go there, so nobody may listen: https, or this machine itself. */
  url(name: string, fallback?: string, { instance = false }: { readonly instance?: boolean } = {}): string {
    const value = fallback !== undefined && !this.has(name) ? fallback : this.text(name);
    const url = URL.parse(value);
    const plain = url?.protocol === "http:" && (isLoopback(url.hostname) || (instance && isInstance(url.hostname)));
    if (url === null || url.username !== "" || (url.protocol !== "https:" && !plain)) {
      return this.refuse(name, "has to be an address that begins with https://");
    }
    return url.href;
  }

  refuse(name: string, problem: string): never {
    throw new ConfigError(
      `${this.file} cannot be used to sign in to Google: its field ${this.#path}${name} ${problem}.`,
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function isInstance(host: string): boolean {
  return host === INSTANCE_IDENTITY;
}

function parseJson(text: string, file: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null) return value;
  throw new ConfigError(`${file} cannot be used to sign in to Google: it is no JSON object.`);
}
