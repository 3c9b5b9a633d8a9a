import { z } from "zod";
import { redirectTo } from "./sign-in.ts";

/** RFC 5321, 4.5.3.1: no address is longer. */
const email = z
  .string()
  .max(254)
  .regex(/^[^\s@<>"(),:;\\[\]]+@[^\s@<>"(),:;\\[\]]+$/, "has to be a mail address such as ada@example.com");

export const request = { body: z.object({ email, redirect_to: redirectTo }), response: z.string() };
export const open = { query: z.object({ token: z.string().max(100).default("") }), response: z.string() };
export const redeem = { body: z.object({ token: z.string().max(100) }), response: z.string() };
