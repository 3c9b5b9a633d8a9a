// Anybody at all signs in by a link, where mail goes into a directory.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import PostalMime, { type Email } from "postal-mime";
import { expect } from "vitest";
import { TestBrowser } from "./browser.testing.ts";

/** All mails to an address, oldest first. */
export async function mailsTo(directory: string, address: string): Promise<readonly Email[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".eml")).sort();
  const mails = await Promise.all(names.map(async (name) => PostalMime.parse(await readFile(join(directory, name)))));
  return mails.filter(({ to }) => to?.some((each) => each.address === address));
}

/** The browser is signed in afterwards, or waits for its second factor. */
export async function signInByMail(
  url: string,
  directory: string,
  address: string,
  browser = new TestBrowser(),
): Promise<TestBrowser> {
  const links = async () => (await mailsTo(directory, address)).filter(({ subject }) => subject === "Sign in to Loom");
  const before = (await links()).length;
  await browser.submit(`${url}/auth/magic-link`, { email: address });
  await expect.poll(async () => (await links()).length, { timeout: 20_000 }).toBe(before + 1);
  const link = /http\S+/.exec((await links()).at(-1)?.text ?? "")?.[0] ?? "";
  await browser.submit(`${url}/auth/magic-link/redeem`, { token: new URL(link).searchParams.get("token") ?? "" });
  return browser;
}
