// Anybody at all signs in by a link, where mail can be read.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import PostalMime, { type Email } from "postal-mime";
import { expect } from "vitest";
import type { TestMailServer } from "../mail/mail-server.testing.ts";
import { TestBrowser } from "./browser.testing.ts";

/** All mails to an address, oldest first. */
export type Inbox = (address: string) => Promise<readonly Email[]>;

/** Where mail goes into a directory. */
export function directoryInbox(directory: string): Inbox {
  return async (address) => {
    const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".eml")).sort();
    const mails = await Promise.all(names.map(async (name) => PostalMime.parse(await readFile(join(directory, name)))));
    return mails.filter(({ to }) => to?.some((each) => each.address === address));
  };
}

/** Where mail goes to a mail server. */
export function serverInbox({ mails }: TestMailServer): Inbox {
  return (address) =>
    Promise.all(mails.filter(({ to }) => to.includes(address)).map(async ({ raw }) => PostalMime.parse(raw)));
}

/** The browser is signed in afterwards, or waits for its second factor. */
export async function signInByMail(
  url: string,
  inbox: Inbox,
  address: string,
  browser = new TestBrowser(),
): Promise<TestBrowser> {
  const links = async () => (await inbox(address)).filter(({ subject }) => subject === "Sign in to Loom");
  const before = (await links()).length;
  await browser.submit(`${url}/auth/magic-link`, { email: address });
  await expect.poll(async () => (await links()).length, { timeout: 20_000 }).toBe(before + 1);
  const link = /http\S+/.exec((await links()).at(-1)?.text ?? "")?.[0] ?? "";
  await browser.submit(`${url}/auth/magic-link/redeem`, { token: new URL(link).searchParams.get("token") ?? "" });
  return browser;
}

export type Told = { readonly status: number; readonly json: { readonly [name: string]: unknown } };

/** Asks the API as a browser that is signed in, or with a token. */
export async function askAs(
  url: string,
  as: TestBrowser | string,
  method: string,
  path: string,
  body?: unknown,
  expected: Readonly<Record<string, string>> = { "if-match": "*" },
): Promise<Told> {
  const cookie = typeof as === "string" ? "" : [...as.jar("127.0.0.1")].map((pair) => pair.join("=")).join("; ");
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(typeof as === "string" ? { authorization: `Bearer ${as}` } : { cookie, origin: url }),
      ...expected,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Told["json"] };
}
