import { Secret } from "@loom/config";
import { expect, test } from "vitest";
import { parsePostgresUrl } from "./postgres-address.ts";

function parse(url: string) {
  return parsePostgresUrl(new Secret(url), "DATABASE_URL");
}

test.each([
  ["postgres://u@h/d", { host: "h", port: 5432, database: "d", user: "u" }, "postgres://u@h/d"],
  ["postgresql://u@h:6543", { host: "h", port: 6543, database: "u", user: "u" }, "postgres://u@h:6543/u"],
  ["postgres://u%40x@[::1]/my%20db", { host: "::1", database: "my db", user: "u@x" }, "postgres://u@x@[::1]/my db"],
  ["postgres:///d?host=/run/pg&user=u", { host: "/run/pg", database: "d", user: "u" }, "postgres://u@/d in /run/pg"],
  ["postgres://u@/d?host=/run/pg&port=1", { host: "/run/pg", port: 1 }, "postgres://u@:1/d in /run/pg"],
  ["postgres://u@%2Frun%2Fpg/d", { host: "/run/pg", database: "d" }, "postgres://u@/d in /run/pg"],
  ["postgres://u@h/d?options=-c%20search_path%3Dloom", { options: "-c search_path=loom" }, "postgres://u@h/d"],
])("%s is understood", (url, expected, place) => {
  expect(parse(url)).toMatchObject({ ...expected, place });
});

test("the password is a secret, and nowhere else", () => {
  const address = parse("postgres://u:p%40ss%3Aword@h/d");
  expect(address.password?.expose()).toBe("p@ss:word");
  expect(JSON.stringify(address)).not.toMatch(/ss:word|ss%3A/);
});

test.each([
  ["postgres://u@db.example/d", "chain_and_name"],
  ["postgres://u@db.example/d?sslmode=verify-full", "chain_and_name"],
  ["postgres://u@db.example/d?sslmode=verify-ca", "chain"],
  ["postgres://u@db.example/d?sslmode=require", "nothing"],
  ["postgres://u@db.example/d?sslmode=disable", undefined],
  ["postgres://u@127.0.0.1/d", undefined],
  ["postgres://u@localhost/d?sslmode=verify-full", "chain_and_name"],
  ["postgres:///d?host=/run/pg", undefined],
])("%s asks TLS to check: %s", (url, verify) => {
  expect(parse(url).tls?.verify).toBe(verify);
});

test.each([
  ["mysql://u:sesame@h/d", /has to begin with postgres:\/\//],
  ["sesame", /has to begin with postgres:\/\//],
  ["postgres://u:sesame@/d", /names no host/],
  ["postgres://h", /names no database/],
  ["postgres://u:sesame@h/d/e", /names no database/],
  ["postgres://u:sesame@h:0/d", /names a port that is none/],
  ["postgres://u:sesame%@h/d", /%25/],
  ["postgres://u:sesame@h/d?sslmode=prefer", /sslmode of DATABASE_URL has to be/],
  ["postgres://u:sesame@h/d?sslmod=require", /has the parameter "sslmod", which means nothing here/],
  [
    "postgres://u:sesame@h/d?sslmode=verify-ca&sslrootcert=/no/file",
    /\/no\/file, named by sslrootcert of DATABASE_URL/,
  ],
  ["postgres://u:sesame@h/d#x", /has to begin with postgres:\/\//],
])("%s is refused with a sentence that does not repeat it", (url, sentence) => {
  const error = (() => {
    try {
      return String(parse(url));
    } catch (reason) {
      return String(reason);
    }
  })();
  expect(error).toMatch(sentence);
  expect(error).toMatch(/^ConfigError: .*DATABASE_URL[^\n]*\.$/);
  expect(error).not.toContain("sesame");
});
