import { defineContract } from "../contract-definition.ts";

const schemas = () => import("../schemas/magic-link.ts");
const MAX_FORM_BYTES = 8 * 1024;

/** Signing in by a link that is sent by mail. */
export const magicLink = {
  request: defineContract({
    method: "POST",
    path: "/auth/magic-link",
    operation: "requestMagicLink",
    summary: "Send a link to sign in with; the answer is the same for every address",
    reply: "html",
    bodyKind: "form",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ request }) => request),
  }),
  open: defineContract({
    method: "GET",
    path: "/auth/magic-link",
    operation: "openMagicLink",
    summary: "What the link leads to: a page with a button; looking at it uses nothing up",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ open }) => open),
  }),
  redeem: defineContract({
    method: "POST",
    path: "/auth/magic-link/redeem",
    operation: "redeemMagicLink",
    summary: "What the button does: the link is used up, and the browser is signed in",
    reply: "html",
    bodyKind: "form",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ redeem }) => redeem),
  }),
} as const;
