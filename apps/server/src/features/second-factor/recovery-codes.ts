import { randomInt, scrypt } from "node:crypto";

export const RECOVERY_CODES = 10;
/** Without letters that look like digits. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
/** Some 59 bits. */
const LENGTH = 12;
/** 16 MiB and some tens of milliseconds a guess, for who has stolen the database. */
const COST = { N: 2 ** 14, r: 8, p: 1 };
const HASH_BYTES = 32;

/** As people see them: `abcd-efgh-jkmn`. */
export function mintRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, () => {
    const text = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
    return text.replaceAll(/(.{4})(?=.)/g, "$1-");
  });
}

/** What was typed, without what people put between. */
export function readCode(text: string): string {
  return text.toLowerCase().replaceAll(/[\s-]/g, "");
}

export function looksLikeRecoveryCode(code: string): boolean {
  return code.length === LENGTH && [...code].every((each) => ALPHABET.includes(each));
}

/** `code` as `readCode` gives it. */
export function hashRecoveryCode(code: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(code, salt, HASH_BYTES, COST, (error, hash) => (error === null ? resolve(hash) : reject(error)));
  });
}
