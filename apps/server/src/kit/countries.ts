import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isIP } from "node:net";
import { networks } from "./client-address.ts";

/** Tells the country of an address: ISO 3166-1, two letters; nothing for what is private, unknown or no address. */
export type CountryOf = (address: string) => Promise<string | undefined>;

export type Countries = {
  readonly countryOf: CountryOf;
  /** Reads the file again if it has changed. */
  refresh(): Promise<void>;
};

/** What this server installs with itself, if the installation has it: `geo-whois-asn-country`, CC0. */
const PACKAGED = "@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb";
/** Networks that are nowhere in particular (RFC 6890), whatever a file says about them. */
const isPrivate = networks([
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"],
  ...["::/127", "fc00::/7", "fe80::/10"],
]);
/** Whole countries and cities with names in all languages are 130 MB; more than this is not one of these files. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

/**
 * Looks addresses up in a file in MaxMind's format, read when it is first needed. Only to show people where something
 * came from, never to decide anything: without a file, or with a damaged one, no country is known.
 */
export function createCountries(options: {
  /** Default: the one that is installed. */
  readonly file?: string | undefined;
  readonly warn: (message: string) => void;
}): Countries {
  const file = options.file ?? packagedFile();
  let loading: Promise<Lookup> | undefined;
  let changedAt: number | undefined;

  async function load(): Promise<Lookup> {
    if (file === undefined) return () => undefined;
    try {
      const { mtimeMs, size } = await stat(file);
      changedAt = mtimeMs;
      if (size > MAX_FILE_BYTES) throw new Error("it is too large");
      return await open(file);
    } catch (error) {
      options.warn(
        `No countries are known: ${file} cannot be used (${error instanceof Error ? error.message : error}).`,
      );
      return () => undefined;
    }
  }

  return {
    async countryOf(address) {
      if (isIP(address) === 0 || isPrivate(address)) return undefined;
      loading ??= load();
      return (await loading)(address);
    },
    async refresh() {
      if (file === undefined || loading === undefined) return;
      const now = await stat(file).catch(() => undefined);
      if (now !== undefined && now.mtimeMs !== changedAt) loading = load();
    },
  };
}

type Lookup = (address: string) => string | undefined;

/** Either form of the file: of countries alone, or with everything that MaxMind has. */
type Found = { readonly country_code?: unknown; readonly country?: { readonly iso_code?: unknown } };

async function open(file: string): Promise<Lookup> {
  const [{ Reader }, bytes] = await Promise.all([import("mmdb-lib"), readFile(file)]);
  const reader = new Reader(bytes);
  return (address) => {
    try {
      const found = reader.get(address) as Found | null;
      const code = found?.country_code ?? found?.country?.iso_code;
      return typeof code === "string" && /^[A-Z]{2}$/.test(code) ? code : undefined;
    } catch {
      // Damaged somewhere in the middle.
      return undefined;
    }
  };
}

function packagedFile(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(PACKAGED);
  } catch {
    return undefined;
  }
}
