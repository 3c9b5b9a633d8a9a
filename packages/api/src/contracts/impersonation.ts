import { defineContract } from "../contract-definition.ts";

const schemas = () => import("../schemas/impersonation.ts");
const MAX_FORM_BYTES = 8 * 1024;
const form = { method: "POST", reply: "html", bodyKind: "form", maxBodyBytes: MAX_FORM_BYTES } as const;

/** Acting in a person's place in a browser. */
export const impersonation = {
  whom: defineContract({
    method: "GET",
    path: "/auth/impersonation",
    operation: "showImpersonation",
    summary: "The page that asks in whose place to act; for system admins",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ whom }) => whom),
  }),
  why: defineContract({
    method: "GET",
    path: "/auth/impersonation/{user}",
    operation: "showImpersonationReason",
    summary: "The page that asks why one acts in a person's place, and for how long",
    reply: "html",
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ why }) => why),
  }),
  begin: defineContract({
    ...form,
    path: "/auth/impersonation/{user}",
    operation: "startImpersonationByForm",
    summary: "Acts in a person's place in this browser; its own session is kept for afterwards",
    schemas: () => schemas().then(({ begin }) => begin),
  }),
  end: defineContract({
    ...form,
    path: "/auth/end-impersonation",
    operation: "stopImpersonationByForm",
    summary: "Acts in nobody's place any more; the browser is back in its own session",
    anonymous: true,
    schemas: () => schemas().then(({ end }) => end),
  }),
} as const;
