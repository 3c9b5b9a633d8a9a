import { randomUUIDv7 } from "node:crypto";
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import type { SecondFactorTables } from "./migrations.ts";
import type { PasskeyStore, StoredPasskey } from "./passkey-store.ts";

/** Loaded by the first passkey: it brings the certificates of all makers of keys, which no start has to wait for. */
const webauthn = () => import("@simplewebauthn/server");

/** EdDSA, ES256, RS256 (COSE): what every maker of keys has one of. */
const ALGORITHMS = [-8, -7, -257];

/** How long one has to touch the key; milliseconds. */
const CHALLENGE_MS = 5 * 60_000;

/** Where the browser says that it is: `https://loom.example.com`; its host is what passkeys are bound to (WebAuthn, 5.1.2). */
export type Site = { readonly origin: string };

/** Whom a challenge is for: the browser that waits for a second factor, or the session that is signed in. */
export type ChallengeFor = {
  readonly userId: string;
  readonly boundTo: string;
  readonly purpose: SecondFactorTables["factor_challenge"]["purpose"];
};

/** JSON, as the browser takes it. */
type Options = { readonly [name: string]: unknown };

export type Passkeys = {
  /** For `navigator.credentials.create`. */
  creationOptions(of: ChallengeFor, username: string, site: Site): Promise<Options>;
  /** `undefined` where the answer is not to a challenge of this session, or not from this site. */
  add(of: ChallengeFor, name: string, response: unknown, site: Site): Promise<StoredPasskey | undefined>;
  /** For `navigator.credentials.get`; `undefined` for who has no passkey. */
  requestOptions(of: ChallengeFor, site: Site): Promise<Options | undefined>;
  /** The passkey that signed; each challenge counts once. */
  check(of: ChallengeFor, response: unknown, site: Site): Promise<StoredPasskey | undefined>;
};

export function createPasskeys({
  store,
  wall,
}: {
  readonly store: PasskeyStore;
  readonly wall: () => number;
}): Passkeys {
  const rpOf = ({ origin }: Site): string => new URL(origin).hostname;

  const remember = (of: ChallengeFor, challenge: string): Promise<void> =>
    store.addChallenge({
      challenge,
      user_id: of.userId,
      bound_to: of.boundTo,
      purpose: of.purpose,
      expires_at: wall() + CHALLENGE_MS,
    });

  /** Once, whatever comes of it; by whom it is for. */
  const isOurs =
    (of: ChallengeFor) =>
    (challenge: string): Promise<boolean> =>
      store.takeChallenge({
        challenge,
        user_id: of.userId,
        bound_to: of.boundTo,
        purpose: of.purpose,
        expires_at: wall(),
      });

  return {
    async creationOptions(of, username, site) {
      const [{ generateRegistrationOptions }, known] = await Promise.all([webauthn(), store.ofUser(of.userId)]);
      const options = await generateRegistrationOptions({
        rpName: "Loom",
        rpID: rpOf(site),
        userName: username,
        userID: new Uint8Array(Buffer.from(of.userId)),
        excludeCredentials: known.map(({ credential_id: id }) => ({ id })),
        supportedAlgorithmIDs: ALGORITHMS,
        authenticatorSelection: { residentKey: "discouraged", userVerification: "preferred" },
      });
      await remember(of, options.challenge);
      return { ...options };
    },
    async add(of, name, response, site) {
      const { verifyRegistrationResponse } = await webauthn();
      const verified = await verifyRegistrationResponse({
        response: response as RegistrationResponseJSON,
        expectedChallenge: isOurs(of),
        expectedOrigin: site.origin,
        expectedRPID: rpOf(site),
        requireUserVerification: false,
        supportedAlgorithmIDs: ALGORITHMS,
      }).catch(() => undefined);
      if (verified?.verified !== true) return undefined;
      const { id, publicKey, counter } = verified.registrationInfo.credential;
      return store.add({
        id: `factor-${randomUUIDv7()}`,
        user_id: of.userId,
        name,
        at: new Date(wall()).toISOString(),
        credential_id: id,
        public_key: publicKey,
        counter,
      });
    },
    async requestOptions(of, site) {
      const known = await store.ofUser(of.userId);
      if (known.length === 0) return undefined;
      const { generateAuthenticationOptions } = await webauthn();
      const options = await generateAuthenticationOptions({
        rpID: rpOf(site),
        allowCredentials: known.map(({ credential_id: id }) => ({ id })),
        userVerification: "preferred",
      });
      await remember(of, options.challenge);
      return { ...options };
    },
    async check(of, response, site) {
      const { id } = response as { readonly id: string };
      const passkey = (await store.ofUser(of.userId)).find((each) => each.credential_id === id);
      if (passkey === undefined) return undefined;
      const { public_key: publicKey, counter } = passkey;
      const { verifyAuthenticationResponse } = await webauthn();
      const verified = await verifyAuthenticationResponse({
        response: response as AuthenticationResponseJSON,
        expectedChallenge: isOurs(of),
        expectedOrigin: site.origin,
        expectedRPID: rpOf(site),
        credential: { id, publicKey: new Uint8Array(publicKey), counter: Number(counter) },
        requireUserVerification: false,
      }).catch(() => undefined);
      if (verified?.verified !== true) return undefined;
      await store.used(passkey.id, verified.authenticationInfo.newCounter, new Date(wall()).toISOString());
      return passkey;
    },
  };
}
