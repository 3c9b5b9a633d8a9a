import { defineContract } from "../contract-definition.ts";

const schemas = () => import("../schemas/oauth.ts");
/** Forms with a handful of parameters. */
const MAX_FORM_BYTES = 16 * 1024;

/** Loom as an authorization server for programs that act for a user: RFC 6749, 7636, 8252, 8414, 8628, 9207. */
export const oauth = {
  metadata: defineContract({
    method: "GET",
    path: "/.well-known/oauth-authorization-server",
    operation: "getAuthorizationServerMetadata",
    summary: "Where and how programs ask to act for a user (RFC 8414)",
    reply: "json",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ metadata }) => metadata),
  }),
  deviceAuthorization: defineContract({
    method: "POST",
    path: "/oauth/device_authorization",
    operation: "requestDeviceCode",
    summary: "Begin to sign in on a device without a browser (RFC 8628)",
    reply: "json",
    bodyKind: "form",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ deviceAuthorization }) => deviceAuthorization),
  }),
  token: defineContract({
    method: "POST",
    path: "/oauth/token",
    operation: "requestToken",
    summary: "Exchange a device code or an authorization code for a token",
    reply: "json",
    bodyKind: "form",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ token }) => token),
  }),
  authorize: defineContract({
    method: "GET",
    path: "/oauth/authorize",
    operation: "showAuthorizationPage",
    summary: "The page on which a user lets a program on his machine act for him",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ authorize }) => authorize),
  }),
  decideAuthorization: defineContract({
    method: "POST",
    path: "/oauth/authorize",
    operation: "decideAuthorization",
    summary: "What the user decided there",
    reply: "html",
    bodyKind: "form",
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ decideAuthorization }) => decideAuthorization),
  }),
  devicePage: defineContract({
    method: "GET",
    path: "/device",
    operation: "showDevicePage",
    summary: "The page on which a user gives the code that a device shows",
    reply: "html",
    anonymous: true,
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ devicePage }) => devicePage),
  }),
  decideDevice: defineContract({
    method: "POST",
    path: "/device",
    operation: "decideDevice",
    summary: "What the user decided there",
    reply: "html",
    bodyKind: "form",
    maxBodyBytes: MAX_FORM_BYTES,
    schemas: () => schemas().then(({ decideDevice }) => decideDevice),
  }),
} as const;
