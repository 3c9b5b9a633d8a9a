import { Secret, TOTP } from "otpauth";

/** RFC 6238 as every app does it: SHA-1, six digits, thirty seconds. */
const STEP_SECONDS = 30;
const DIGITS = 6;
/** RFC 4226, section 4: 160 bits. */
const SECRET_BYTES = 20;
/** Steps before and after the one that it is: clocks go wrong, and people type slowly. */
const WINDOW = 1;

/** In base32, as apps and people write it. */
export function mintTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/** For apps that read addresses. */
export function totpAddress(secret: string, account: string): string {
  return new TOTP({ issuer: "Loom", label: account, secret, digits: DIGITS, period: STEP_SECONDS }).toString();
}

export function looksLikeTotp(code: string): boolean {
  return /^\d{6}$/.test(code);
}

/** The time step that a code belongs to; `undefined` where it is of none that it may be at `now` (Unix milliseconds). */
export function stepOf(code: string, secret: string, now: number): number | undefined {
  const delta = TOTP.validate({
    token: code,
    secret: Secret.fromBase32(secret),
    digits: DIGITS,
    period: STEP_SECONDS,
    timestamp: now,
    window: WINDOW,
  });
  return delta === null ? undefined : TOTP.counter({ period: STEP_SECONDS, timestamp: now }) + delta;
}
