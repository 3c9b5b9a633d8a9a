import { defineContract } from "../contract-definition.ts";

const schemas = () => import("../schemas/second-factor.ts");
const MAX_FORM_BYTES = 8 * 1024;
const form = { method: "POST", reply: "html", bodyKind: "form", maxBodyBytes: MAX_FORM_BYTES } as const;

/** The second factor: codes of an app, and recovery codes. */
export const secondFactor = {
  page: defineContract({
    method: "GET",
    path: "/auth/second-factor",
    operation: "showSecondFactor",
    summary: "The page that asks for the second factor of who has given the first",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ showSecondFactor }) => showSecondFactor),
  }),
  give: defineContract({
    ...form,
    path: "/auth/second-factor",
    operation: "giveSecondFactor",
    summary: "Gives the second factor; with it, the browser is signed in",
    anonymous: true,
    schemas: () => schemas().then(({ giveSecondFactor }) => giveSecondFactor),
  }),
  factorsPage: defineContract({
    method: "GET",
    path: "/auth/factors",
    operation: "showFactors",
    summary: "The page with your second factors",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ showFactors }) => showFactors),
  }),
  beginTotp: defineContract({
    ...form,
    path: "/auth/factors/totp",
    operation: "beginTotp",
    summary: "Makes a secret for an app, and shows it once",
    schemas: () => schemas().then(({ beginTotp }) => beginTotp),
  }),
  confirmTotp: defineContract({
    ...form,
    path: "/auth/factors/totp/confirm",
    operation: "confirmTotp",
    summary: "Shows that the app works; from now on its codes are asked for",
    schemas: () => schemas().then(({ confirmTotp }) => confirmTotp),
  }),
  recoveryCodes: defineContract({
    ...form,
    path: "/auth/factors/recovery-codes",
    operation: "makeRecoveryCodes",
    summary: "Makes new recovery codes in place of the old ones, and shows them once",
    schemas: () => schemas().then(({ showFactors }) => showFactors),
  }),
  removeByForm: defineContract({
    ...form,
    path: "/auth/factors/remove",
    operation: "removeFactorByForm",
    summary: "Removes one of your second factors, from the page",
    schemas: () => schemas().then(({ postFactor }) => postFactor),
  }),
  againPage: defineContract({
    method: "GET",
    path: "/auth/factors/again",
    operation: "showSecondFactorAgain",
    summary: "The page that asks who has been signed in for a while for the second factor once more",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ showFactors }) => showFactors),
  }),
  confirmAgain: defineContract({
    ...form,
    path: "/auth/factors/again",
    operation: "confirmSecondFactor",
    summary: "Gives the second factor once more, for what takes somebody who has signed in lately",
    schemas: () => schemas().then(({ confirmAgain }) => confirmAgain),
  }),
  list: defineContract({
    method: "GET",
    path: "/api/factors",
    operation: "listFactors",
    summary: "Your second factors",
    reply: "json",
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ listFactors }) => listFactors),
  }),
  removeOfUser: defineContract({
    method: "DELETE",
    path: "/api/admin/users/{user}/factors",
    operation: "removeFactorsOfUser",
    summary: "Remove all second factors of a user who has lost them; his sessions end",
    reply: "json",
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ removeFactorsOfUser }) => removeFactorsOfUser),
  }),
} as const;
