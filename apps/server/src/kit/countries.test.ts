import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { createCountries } from "./countries.ts";

const packaged = createRequire(import.meta.url).resolve(
  "@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb",
);
const fail = (message: string): never => {
  throw new Error(message);
};

test("public addresses have the country that the installed file names; private ones have none", async () => {
  const { countryOf } = createCountries({ warn: fail });
  expect(await countryOf("8.8.8.8")).toBe("US");
  expect(await countryOf("2001:4860:4860::8888")).toBe("US");
  for (const address of ["127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fd00::1", "", "nonsense"]) {
    expect([address, await countryOf(address)]).toEqual([address, undefined]);
  }
});

test("a file that is not there, is none of its kind or is cut off makes no country known and stops nothing", async () => {
  await using home = await temporaryDirectory();
  const whole = await readFile(packaged);
  const file = join(home.path, "file.mmdb");
  const withoutBeginning = whole.subarray(5_000_000);
  for (const content of [undefined, "", "nonsense", whole.subarray(0, 1_000_000), withoutBeginning]) {
    if (content !== undefined) await writeFile(file, content);
    const warnings: string[] = [];
    const { countryOf } = createCountries({ file, warn: (message) => warnings.push(message) });
    expect(await countryOf("8.8.8.8")).toBeUndefined();
    // What the end of a file says of it may be whole where the rest is not.
    if (content !== withoutBeginning) expect(warnings).toEqual([expect.stringContaining(file)]);
  }
});

test("another file in its place is read without a restart", async () => {
  await using home = await temporaryDirectory();
  const file = join(home.path, "file.mmdb");
  await writeFile(file, "nonsense");
  const warnings: string[] = [];
  const countries = createCountries({ file, warn: (message) => warnings.push(message) });
  expect(await countries.countryOf("8.8.8.8")).toBeUndefined();
  expect(warnings).toHaveLength(1);
  await writeFile(file, await readFile(packaged));
  await countries.refresh();
  expect(await countries.countryOf("8.8.8.8")).toBe("US");
});
