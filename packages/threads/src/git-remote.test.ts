import { expect, test } from "vitest";
import { normaliseRemote } from "./git-remote.ts";

test.each([
  ["git@github.com:acme/app.git", "github.com/acme/app"],
  ["https://github.com/acme/app", "github.com/acme/app"],
  ["https://ada:s3cret@GitHub.com/acme/app.git/", "github.com/acme/app"],
  ["ssh://git@git.example.com:2222/acme/app.git", "git.example.com/acme/app"],
  ["git.example.com:acme/app", "git.example.com/acme/app"],
  ["https://git.example.com/acme/app?token=s3cret", "git.example.com/acme/app"],
  ["/srv/git/app.git", "/srv/git/app"],
  ["file:///srv/git/app.git", "/srv/git/app"],
  ["../app", "../app"],
])("%s is %s", (address, expected) => {
  expect(normaliseRemote(address)).toBe(expected);
});

test.each(["", "https://", "a\nb", "x".repeat(500), "https://ada:s3cret@/"])("%j is no address", (address) => {
  expect(normaliseRemote(address)).toBeUndefined();
});
