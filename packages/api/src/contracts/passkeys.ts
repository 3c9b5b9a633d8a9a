import { defineContract } from "../contract-definition.ts";

const schemas = () => import("../schemas/passkeys.ts");
const MAX_BYTES = 64 * 1024;
const post = { method: "POST", reply: "json", maxBodyBytes: MAX_BYTES } as const;

/** Passkeys as second factors (WebAuthn, level 3); what the pages' own script asks. */
export const passkeys = {
  script: defineContract({
    method: "GET",
    path: "/auth/passkey.js",
    operation: "loadPasskeyScript",
    summary: "The script of the pages that ask for a passkey",
    reply: "text",
    anonymous: true,
    maxBodyBytes: MAX_BYTES,
    schemas: () => schemas().then(({ loadScript }) => loadScript),
  }),
  addOptions: defineContract({
    ...post,
    path: "/auth/passkey/add-options",
    operation: "beginPasskey",
    summary: "What the browser needs to make a passkey",
    schemas: () => schemas().then(({ options }) => options),
  }),
  add: defineContract({
    ...post,
    path: "/auth/passkey/add",
    operation: "addPasskey",
    summary: "Adds the passkey that the browser has made",
    schemas: () => schemas().then(({ add }) => add),
  }),
  againOptions: defineContract({
    ...post,
    path: "/auth/passkey/again-options",
    operation: "beginPasskeyAgain",
    summary: "What the browser needs to have a passkey sign, for who is signed in and has to show that it is still him",
    schemas: () => schemas().then(({ options }) => options),
  }),
  again: defineContract({
    ...post,
    path: "/auth/passkey/again",
    operation: "givePasskeyAgain",
    summary: "Gives the passkey once more, for what takes somebody who has signed in lately",
    schemas: () => schemas().then(({ again }) => again),
  }),
  options: defineContract({
    ...post,
    path: "/auth/passkey/options",
    operation: "beginPasskeySignIn",
    summary: "What the browser needs to have a passkey sign, for who has given the first factor",
    anonymous: true,
    schemas: () => schemas().then(({ options }) => options),
  }),
  give: defineContract({
    ...post,
    path: "/auth/passkey/give",
    operation: "givePasskey",
    summary: "Gives the passkey as second factor; with it, the browser is signed in",
    anonymous: true,
    schemas: () => schemas().then(({ give }) => give),
  }),
} as const;
