import { resolve } from "node:path";
import { CREDENTIAL_LABEL, MAX_CREDENTIAL_WEIGHT } from "@loom/api";
import type { Environment } from "@loom/config";
import { dataDirectoryOf, type FlagsOfVerbs, readFlags, refuseOtherFlags } from "./command-flags.ts";
import { UsageError } from "./usage-error.ts";

export type CredentialCommand = { readonly dataDirectory: string } & (
  | {
      readonly type: "add";
      readonly provider: string;
      readonly label: string | undefined;
      readonly weight: number | undefined;
      /** Without it, the secret comes from the standard input. */
      readonly keyFile: string | undefined;
      readonly isOAuth: boolean;
    }
  | { readonly type: "list" }
  | { readonly type: "show" | "enable" | "disable" | "remove"; readonly credential: string }
  | { readonly type: "rotate-key"; readonly newKeyFile: string | undefined }
);

const COMMAND = "loom-server credential";
const FLAGS = {
  label: { type: "string" },
  weight: { type: "string" },
  "key-file": { type: "string" },
  oauth: { type: "boolean" },
  "new-key-file": { type: "string" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const CREDENTIAL_HELP = `Usage: loom-server credential add PROVIDER [--label LABEL] [--weight N] [--key-file FILE | < FILE] [--oauth]
       loom-server credential list
       loom-server credential show|enable|disable|remove LABEL
       loom-server credential rotate-key [--new-key-file FILE]

Keys of model providers, besides those in the server's environment: as many of each provider as you like. They are kept
encrypted in the server's database and cannot be read again. A server that runs follows within seconds. LABEL may be an id.

add reads one key from the standard input or from a file, never from the command line.
  --label LABEL           how it is called (default: the provider and a number)
  --weight N              its share of the requests, 1 (default) to ${MAX_CREDENTIAL_WEIGHT}
  --key-file FILE         where the key is
  --oauth                 what is read is a JSON object with refreshToken, tokenEndpoint, clientId, and if there are any
                          clientSecret, accessToken and expiresAt
enable also ends the cool-down of a credential whose quota was used up.
rotate-key encrypts all of them with a new master key.
  --new-key-file FILE     32 bytes in base64 (default: a new key in the data directory, if the old one is there)

  --data DIR              where the server's database lives (LOOM_SERVER_DATA_DIR)
  --help

The master key is that of LOOM_SERVER_MASTER_KEY, or LOOM_SERVER_MASTER_KEY_FILE; without them, a file in the data directory.
`;

/** What stands after `loom-server credential`; `undefined`: help is wanted. @throws UsageError */
export function parseCredentialCommand(args: readonly string[], env: Environment): CredentialCommand | undefined {
  const { values, positionals } = readFlags(COMMAND, args, FLAGS);
  const [verb, name, ...rest] = positionals;
  if (values.help === true || verb === undefined) return undefined;
  const dataDirectory = dataDirectoryOf(values.data, env);
  const tooMuch = verb === "list" || verb === "rotate-key" ? name : rest[0];
  // What is too much may be a key: it is not repeated.
  if (tooMuch !== undefined) {
    throw new UsageError(`loom-server credential ${verb} takes no further words: see loom-server credential --help.`);
  }
  refuseOtherFlags(COMMAND, verb, values, FLAGS_OF);
  switch (verb) {
    case "add":
      return {
        type: "add",
        dataDirectory,
        provider: readProvider(name),
        label: readLabel(values.label),
        weight: readWeight(values.weight),
        keyFile: values["key-file"] === undefined ? undefined : resolve(values["key-file"]),
        isOAuth: values.oauth === true,
      };
    case "list":
      return { type: "list", dataDirectory };
    case "show":
    case "enable":
    case "disable":
    case "remove":
      if (name === undefined) {
        throw new UsageError(`Say which credential: loom-server credential ${verb} LABEL.`);
      }
      return { type: verb, dataDirectory, credential: name };
    case "rotate-key": {
      const file = values["new-key-file"];
      return { type: "rotate-key", dataDirectory, newKeyFile: file === undefined ? undefined : resolve(file) };
    }
    default:
      throw new UsageError(
        `There is no loom-server credential ${verb}: use add, list, show, enable, disable, remove or rotate-key.`,
      );
  }
}

const FLAGS_OF: FlagsOfVerbs = {
  add: ["label", "weight", "key-file", "oauth"],
  "rotate-key": ["new-key-file"],
};

function readProvider(name: string | undefined): string {
  if (name === undefined) throw new UsageError("Say which provider: loom-server credential add PROVIDER.");
  if (/^[a-z][a-z0-9-]{0,30}$/.test(name)) return name;
  throw new UsageError(
    "What stands after add has to be the name of a provider, e.g. anthropic; the key comes from the standard input.",
  );
}

function readLabel(label: string | undefined): string | undefined {
  if (label === undefined || CREDENTIAL_LABEL.test(label)) return label;
  throw new UsageError(
    "A label has 1 to 64 letters, digits, dots, dashes or underscores, and begins with a letter or digit.",
  );
}

function readWeight(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const weight = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (weight >= 1 && weight <= MAX_CREDENTIAL_WEIGHT) return weight;
  throw new UsageError(`--weight has to be a number from 1 to ${MAX_CREDENTIAL_WEIGHT}.`);
}
