import { describe, expect, test } from "vitest";
import { HELP, parseCommandLine } from "./command-line.ts";
import { UsageError } from "./usage-error.ts";

const HOME = { HOME: "/home/ada" };

test("without flags the server listens on loopback and keeps its data in the person's data directory", () => {
  expect(parseCommandLine([], HOME)).toEqual({
    type: "run",
    listen: { host: "127.0.0.1", port: 5666 },
    tls: undefined,
    dataDirectory: "/home/ada/.local/share/loom/server",
    ownerTokenFile: "/home/ada/.local/share/loom/server/owner-token",
    resetOwnerToken: false,
    logLevel: "info",
    logFile: undefined,
    drainMs: 10_000,
  });
});

test("a flag wins over its variable", () => {
  const env = { ...HOME, LOOM_SERVER_LISTEN: "127.0.0.1:1", LOOM_SERVER_DATA_DIR: "/a", LOOM_SERVER_LOG_LEVEL: "warn" };
  expect(parseCommandLine([], env)).toMatchObject({ listen: { port: 1 }, dataDirectory: "/a", logLevel: "warn" });
  const flags = ["--listen", "[::1]:2", "--data=/b", "--log-level", "error"];
  expect(parseCommandLine(flags, env)).toMatchObject({
    listen: { host: "::1", port: 2 },
    dataDirectory: "/b",
    ownerTokenFile: "/b/owner-token",
    logLevel: "error",
  });
});

describe("listening wider than this machine", () => {
  test.each(["0.0.0.0:80", "[::]:80", "192.168.1.2:80", "loom.example:80"])(
    "on %s is refused with the reason",
    (place) => {
      const parse = () => parseCommandLine(["--listen", place], HOME);
      expect(parse).toThrow(UsageError);
      expect(parse).toThrow(/without TLS.*--tls-cert.*127\.0\.0\.1.*--allow-insecure-listen/);
    },
  );

  test.each([["--allow-insecure-listen"], ["--tls-cert", "/c.pem", "--tls-key", "/k.pem"]])(
    "is possible with %s",
    (...flags) => {
      const command = parseCommandLine(["--listen", "0.0.0.0:80", ...flags], HOME);
      expect(command).toMatchObject({ listen: { host: "0.0.0.0", port: 80 } });
    },
  );

  test.each(["127.0.0.1:0", "[::1]:0", "localhost:0", "127.3.3.3:0"])("is not what %s means", (place) => {
    expect(parseCommandLine(["--listen", place], HOME)).toMatchObject({ type: "run" });
  });
});

test.each([
  [["--nope"], /--nope.*--help/],
  [["serve"], /serve.*--help/],
  [["--listen"], /--listen.*--help/],
  [["--listen", "5666"], /HOST:PORT/],
  [["--listen", ":5666"], /HOST:PORT/],
  [["--listen", "127.0.0.1:99999"], /HOST:PORT/],
  [["--listen", "::1:80"], /HOST:PORT/],
  [["--tls-cert", "/c.pem"], /--tls-key/],
  [["--log-level", "loud"], /debug, info, warn, error, silent/],
  [["--drain-timeout", "soon"], /--drain-timeout/],
])("%j is refused with a sentence", (args, message) => {
  const parse = () => parseCommandLine(args, HOME);
  expect(parse).toThrow(UsageError);
  expect(parse).toThrow(message);
  expect(parse).toThrow(/^[^\n]+\.$/);
});

test("help names every flag that is understood, in lines that fit a terminal", () => {
  expect(parseCommandLine(["--help", "--listen", "x"], HOME)).toEqual({ type: "help" });
  expect(parseCommandLine(["-h"], HOME)).toEqual({ type: "help" });
  expect(parseCommandLine(["--version"], HOME)).toEqual({ type: "version" });
  for (const line of HELP.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
});
