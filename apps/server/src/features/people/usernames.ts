/** Letters and digits of ASCII and `_`: nothing of Unicode that looks like another. */
export const USERNAME = /^[A-Za-z0-9_]{3,39}$/;
const MAX_USERNAME = 39;

/** Would be taken for the system, for a part of it or of its addresses, or for nobody at all. */
const RESERVED = `about abuse account accounts admin administrator anonymous api app apps assets audit auth billing blog
  bot bots contact dashboard deleted docs everyone explore false health healthz help home host hostmaster imprint info invitation
  invitations legal local localhost login logout loom mail me members metrics moderator new nobody none noreply no_reply null oauth
  official operator org organization organizations orgs owner postmaster pricing privacy private profile proxy public readyz register
  restore root search security server session sessions settings share signin signout signup staff static status support sysadmin
  system system_admin team teams terms test thread threads token tokens true undefined unlisted user users v1 webmaster www`
  .split(/\s+/)
  .filter((word) => word !== "");

/**
 * What is left of a name where what a reader may take for each other is the same: upper and lower case, `0` and `o`, `1`,
 * `l` and `i`, `rn` and `m`, `vv` and `w`, one underscore and several.
 */
export function skeletonOf(username: string): string {
  return username
    .toLowerCase()
    .replace(/0/g, "o")
    .replace(/[1i]/g, "l")
    .replace(/rn/g, "m")
    .replace(/vv/g, "w")
    .replace(/_+/g, "_");
}

const RESERVED_SKELETONS: ReadonlySet<string> = new Set(RESERVED.map(skeletonOf));
const RESERVED_WORDS: ReadonlySet<string> = new Set(RESERVED);

/** Also what looks like a reserved name, or becomes one without its underscores at the ends. */
export function isReservedUsername(username: string): boolean {
  return RESERVED_SKELETONS.has(skeletonOf(username.replace(/^_+|_+$/g, "")));
}

/** What is wrong with a username, as the end of "The username …". */
export function usernameFault(username: string): string | undefined {
  if (username.length < 3 || username.length > MAX_USERNAME) return `must have 3 to ${MAX_USERNAME} characters`;
  if (!USERNAME.test(username)) {
    const foreign = [...username].find((character) => !/[A-Za-z0-9_]/.test(character)) ?? "";
    const code = (foreign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `must have nothing but the letters a to z, digits and _ (U+${code} is none of them, whatever it looks like)`;
  }
  return isReservedUsername(username) ? "is reserved, or looks like one that is" : undefined;
}

/**
 * Names to try, in this order, for who would like to be called `wish`: that itself as far as it can be had, then with a
 * number, then with random ends. Endless.
 */
export function* usernamesLike(wish: string, random: () => string): Generator<string, never> {
  const plain = wish
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Za-z0-9_]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, MAX_USERNAME);
  const stem = plain.length < 3 || isReservedUsername(plain) ? `user_${plain}`.slice(0, MAX_USERNAME) : plain;
  if (!stem.endsWith("_")) yield stem;
  for (let number = 2; number < 10; number += 1) yield `${stem.slice(0, MAX_USERNAME - 2)}_${number}`;
  for (;;) yield `${stem.slice(0, MAX_USERNAME - 9)}_${random()}`;
}

export const SLUG = /^[a-z0-9](?:-?[a-z0-9])*$/;
const MAX_SLUG = 50;

/** What is wrong with the slug of an organization (at least 3) or of a team (at least 2), as the end of "The slug …". */
export function slugFault(slug: string, { least }: { readonly least: 2 | 3 }): string | undefined {
  if (slug.length < least || slug.length > MAX_SLUG) return `must have ${least} to ${MAX_SLUG} characters`;
  if (!SLUG.test(slug)) return "must have nothing but lower-case letters, digits and single hyphens between them";
  return RESERVED_WORDS.has(slug.replaceAll("-", "_")) ? "is reserved" : undefined;
}

/** As `usernamesLike`, for the slug of an organization. */
export function* slugsLike(wish: string, random: () => string): Generator<string, never> {
  for (const name of usernamesLike(wish, random)) {
    const slug = name
      .toLowerCase()
      .replace(/_+/g, "-")
      .replace(/^-+|-+$/g, "");
    if (slugFault(slug, { least: 3 }) === undefined) yield slug;
  }
  throw new Error("There is always another name.");
}

/**
 * What an address is found by: upper and lower case of ASCII are the same, and nothing else is. Unicode's rules would make
 * one address of two, e.g. of the Kelvin sign and `k`, and let the owner of one into the account of the other.
 */
export function addressKey(address: string): string {
  return address.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
