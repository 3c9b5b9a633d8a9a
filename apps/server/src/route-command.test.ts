import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "./index.ts";
import { runRouteCommand } from "./route-command.ts";
import type { RunningServer } from "./server.ts";

const ENV = { LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-of-the-test", LOOM_SERVER_OPENAI_API_KEY: "sk-of-the-test" };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "loom-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function command(...args: string[]): Promise<{ printed: string; said: string }> {
  const [printed, said]: [string[], string[]] = [[], []];
  await runRouteCommand([...args, "--data", directory], ENV, {
    print: (text) => printed.push(text),
    say: (sentence) => said.push(sentence),
  });
  return { printed: printed.join(""), said: said.join("\n") };
}

test("without a server: set, list, explain and delete work on its database", async () => {
  const oracle = ["anthropic/claude-opus-5=70,openai/gpt-5.4=30", "fast"];
  expect((await command("set", "oracle", ...oracle, "--timeout", "gap=20")).said).toBe(
    "The route oracle is at version 1.",
  );
  expect((await command("list")).printed).toBe(
    "NAME    FROM  VERSION  LEADS TO\n" +
      "oracle  api   1        anthropic/claude-opus-5=70,openai/gpt-5.4=30 else fast; gap 20 s\n",
  );
  const { printed } = await command("explain", "oracle", "--session", "s");
  expect(printed).toMatch(/^The route oracle is for oracle\.\n1\. +\S+ +asked +breaker unknown +alias oracle, weight/);
  expect(printed).toContain("alias oracle > fast");
  expect(printed).toContain("ask it with --server URL");
  expect((await command("explain", "gpt-x")).printed).toMatch(/^No route is for gpt-x: its name decides\.\n1\./);
  await expect(command("delete", "oracle", "--version", "7")).rejects.toThrow(/it is at version 1/);
  expect((await command("delete", "oracle", "--version", "1")).said).toBe("The route oracle is taken away.");
  expect((await command("list")).printed).toBe("NAME  FROM  VERSION  LEADS TO\n");
});

test("what hangs on the server's environment is judged by the shell's, said so, and in nobody's way", async () => {
  const { said } = await command("set", "far", "lab/m");
  expect(said).toMatch(/^The route far is at version 1\.\nJudged by this shell's environment: The route far has .* no/);
  expect(said).toMatch(/no provider lab: .* ask it with --server URL\.$/);
  expect((await command("set", "near", "openai/m")).said).toBe("The route near is at version 2.");
  // Its key is in the server's environment, and no business of this shell.
  expect((await command("set", "spare", "vertex/m")).said).toBe("The route spare is at version 3.");
  for (const name of ["far", "spare"]) {
    expect((await command("explain", name)).printed).toMatch(/\nJudged by this shell's environment: The route /);
  }
  expect((await command("delete", "near")).said).toBe("The route near is taken away.");
  await expect(command("set", "near", "nobody")).rejects.toThrow(/nobody, which is no alias/);
});

test("a whole route comes from a file", async () => {
  const file = join(directory, "route.json");
  const variant = { for: { subjects: ["token/ci"] }, tiers: [[{ target: "openai/cheap" }]] };
  await writeFile(file, JSON.stringify({ tiers: [], variants: [variant] }));
  await command("set", "default", "--from", file);
  expect((await command("explain", "default", "--subject", "token/ci")).printed).toContain("openai/cheap");
  expect((await command("explain", "default", "--subject", "token/x")).printed).toContain("its name decides");
  await writeFile(file, '{"tiers":[[{"target":1}]]}');
  await expect(command("set", "default", "--from", file)).rejects.toThrow(/wrong at tiers\.0\.0: must be "provider/);
});

test.each([
  [["set", "a", "a"], /The route a goes in a circle: a > a\./],
  [["set", "a"], /Say where it leads/],
  [["set", "a", "x=y=z"], /is no target/],
  [["set", "a", "openai/m", "--timeout", "nap=1"], /--timeout has to look like firstEvent=20/],
  [["set", "a", "openai/m", "--session", "s"], /--session is a flag of loom-server route explain, not of set/],
  [["explain"], /Say which/],
  [["explain", "a", "--dialect", "latin"], /--dialect has to be one of/],
  [["remove", "a"], /There is no loom-server route remove/],
  [["list", "--server", "nowhere"], /--server has to be an address/],
  [["list", "--server", "http://loom.example"], /does not go to loom\.example without TLS/],
])("%j is refused with a sentence", async (args, message) => {
  await expect(command(...args)).rejects.toThrow(message);
});

describe("with a server that runs", () => {
  let server: RunningServer;
  beforeEach(async () => {
    server = await startServer({
      config: takeServerConfig({ ...ENV }),
      access: { type: "owner", tokenFile: join(directory, "owner-token"), replace: false },
      dataDirectory: directory,
    });
  });
  afterEach(() => server.close());

  test("the same goes through its API, breakers included", async () => {
    const at = ["--server", server.url];
    await command("set", "oracle", "openai/gpt-5.4", "--version", "0", ...at);
    await expect(command("set", "oracle", "openai/gpt-6", "--version", "0", ...at)).rejects.toThrow(/at version 1/);
    expect((await command("explain", "oracle", ...at)).printed).toBe(
      "The route oracle is for oracle.\n1.  openai/gpt-5.4  asked  breaker closed  alias oracle\n",
    );
    expect((await command("list", ...at)).printed).toContain("openai/gpt-5.4");
    await expect(command("set", "far", "lab/m", ...at)).rejects.toThrow(/no provider lab/);
    const problem = "The route far has the target vertex/m, but the provider vertex is not set up.";
    expect((await command("set", "far", "vertex/m", ...at)).said).toBe(`The route far is at version 2.\n${problem}`);
    expect((await command("list", ...at)).said).toBe(problem);
    await command("delete", "oracle", ...at);
    await expect(command("delete", "oracle", ...at)).rejects.toThrow(/No route "oracle" was set/);
  });

  test("a token that it does not know, and a server that is not there, are said", async () => {
    const file = join(directory, "other-token");
    await writeFile(file, `lt_${"x".repeat(43)}\n`);
    await expect(command("list", "--server", server.url, "--token-file", file)).rejects.toThrow(/token/);
    await expect(command("list", "--server", "http://127.0.0.1:1")).rejects.toThrow(/No Loom server answers/);
    await expect(command("list", "--server", server.url, "--token-file", `${file}-2`)).rejects.toThrow(
      /cannot be read \(ENOENT\)/,
    );
    expect(await readFile(join(directory, "owner-token"), "utf8")).toMatch(/^lt_/);
  });
});
