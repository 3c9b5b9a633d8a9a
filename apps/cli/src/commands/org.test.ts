import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTempHome, type RunningProcess, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { PATIENT, runLoom, startLoom } from "../testing.ts";

let home: TempHome;
let server: RunningProcess;
let url: string;
let asOwner: string;
let asBob: string;

/** With a user who is signed in by asking for it. */
async function startServer(user: string): Promise<void> {
  const args = ["server", "--listen", "127.0.0.1:0", "--data", join(home.path, "data"), "--owner-token-file", asOwner];
  server = await startLoom(home, args, {
    // Nobody answers there.
    env: { LOOM_SERVER_DEV_USER: user, LOOM_SERVER_DNS_SERVERS: "127.0.0.1:1" },
    // It outlives many commands.
    timeoutMs: 600_000,
  });
  url = (await server.waitForOutput(/Listening on (http:\S+?)\.?\n/))[1] ?? "";
}

async function stopServer(): Promise<void> {
  server.signal("SIGTERM");
  await server.exited;
}

/** Gives the cookie of the session. */
async function signIn(): Promise<string> {
  const answer = await fetch(`${url}/auth/development`, { redirect: "manual" });
  return answer.headers.getSetCookie()[0]?.split(";")[0] ?? expect.fail(`No cookie: ${answer.status}`);
}

beforeAll(async () => {
  home = await createTempHome();
  asOwner = join(home.path, "token");
  asBob = join(home.path, "token-of-bob");
  await startServer("ada@example.com");
  const cookie = await signIn();
  await stopServer();
  await startServer("bob@example.com");
  await signIn();
  // Ada, who runs the server, acts in Bob's place: the command line gets a token of his.
  const started = await fetch(`${url}/api/admin/users/bob/impersonate`, {
    method: "POST",
    headers: { cookie, origin: url, "content-type": "application/json" },
    body: JSON.stringify({ reason: "to see the command line as he does" }),
  });
  const { token } = (await started.json()) as { readonly token: string };
  writeFileSync(asBob, token, { mode: 0o600 });
}, PATIENT.timeout);

afterAll(async () => {
  await stopServer();
  await home.remove();
});

function loom(
  words: readonly string[],
  { as = asOwner, stdin = "" }: { readonly as?: string; readonly stdin?: string } = {},
) {
  return runLoom(home, words, { env: { LOOM_SERVER_URL: url, LOOM_SERVER_TOKEN_FILE: as }, input: stdin });
}

async function said(words: readonly string[], options?: Parameters<typeof loom>[1]): Promise<string> {
  const { code, stdout, stderr } = await loom(words, options);
  expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: "" });
  return stdout;
}

describe("loom org and loom team", PATIENT, () => {
  it("take an organization from its founding to its end", async () => {
    expect(await said(["org", "create", "acme", "--name", "Acme, Inc.", "--owner", "ada"])).toBe(
      "Made the organization acme.\n",
    );
    expect(await said(["org", "list", "--all"])).toMatch(
      /^SLUG +NAME +VISIBILITY +ROLE\nacme +Acme, Inc\. +public +-\n/,
    );
    expect(await said(["org", "show", "acme"])).toMatch(/^slug: +acme\nname: +Acme, Inc\.\n/);
    expect(await said(["org", "list"], { as: asBob })).toMatch(/\nbob +bob +private +owner\n$/);

    const changed = await said(["org", "change", "acme", "--second-factor", "required", "--description", "Anvils"]);
    expect(changed).toMatch(/\ndescription: +Anvils\n(?:.*\n)*second factor: +required\n/);
    expect(await said(["org", "change", "acme", "--second-factor", "optional"])).toMatch(
      /\nsecond factor: +optional\n/,
    );

    const claimed = await said(["org", "claim", "acme", "Acme.example"]);
    expect(claimed).toMatch(
      /^Add this TXT record until [^\n]+:\n_loom-challenge\.acme\.example\nloom-challenge=\S+\n$/,
    );
    expect(await said(["org", "domains", "acme"])).toMatch(/\nacme\.example +claimed +any +no +\d{4}-\d{2}-\d{2}\n$/);
    const proof = await loom(["org", "prove", "acme", "acme.example"]);
    expect(proof.stderr).toMatch(
      /^loom: The records of _loom-challenge\.acme\.example could not be asked for [^\n]*\n$/,
    );
    const early = await loom(["org", "sign-in", "acme", "acme.example", "--provider", "any", "--forced", "no"]);
    expect(early.stderr).toMatch(/^loom: acme\.example is not proven yet: [^\n]*\n$/);
    expect(await said(["org", "unclaim", "acme", "acme.example"])).toBe(
      "acme.example is not a domain of acme any more.\n",
    );

    const invited = await said(["org", "invite", "acme", "bob@example.com", "--role", "admin"]);
    expect(invited).toMatch(/^Invited bob@example\.com to acme as admin, until \d{4}-\d{2}-\d{2}\. .*\nli_\S{43}\n$/);
    const stdin = invited.split("\n")[1] ?? "";
    expect(await said(["org", "accept"], { as: asBob, stdin })).toBe("You are in acme now, as admin.\n");
    const again = await loom(["org", "accept"], { as: asBob, stdin });
    expect([again.code, again.stderr]).toEqual([
      1,
      "loom: The invitation was accepted before: it can be answered once.\n",
    ]);
    expect(await said(["org", "members", "acme"])).toMatch(/\nada +ada +owner +\S+\nbob +bob +admin +\S+\n$/);

    expect(await said(["team", "create", "acme", "qa", "--name", "Quality"], { as: asBob })).toBe(
      "Made the team qa in acme.\n",
    );
    await said(["team", "add", "acme", "qa", "ada"], { as: asBob });
    const listed = await said(["team", "members", "acme", "qa", "--json"]);
    expect(JSON.parse(listed)).toMatchObject([{ username: "ada", role: "member" }]);
    expect(await said(["team", "list", "acme"])).toMatch(/\nqa +Quality +-\n$/);
    await said(["team", "remove", "acme", "qa", "ada"]);
    expect(await said(["team", "members", "acme", "qa"])).toBe("The team has no members.\n");
    expect(await said(["team", "delete", "acme", "qa"])).toBe("Dissolved the team qa.\n");

    expect(await said(["org", "role", "acme", "bob", "member"])).toBe("bob is in acme as member.\n");
    const last = await loom(["org", "remove", "acme", "ada"]);
    expect(last.stderr).toMatch(/^loom: Nobody else owns acme: [^\n]*\n$/);
    expect(await said(["org", "remove", "acme", "bob"], { as: asBob })).toBe("bob is not in acme any more.\n");
    expect(await said(["org", "delete", "acme"])).toMatch(/^Deleted acme\. For 90 days/);
    expect(await said(["org", "list", "--deleted"])).toMatch(/\nacme /);
    expect(await said(["org", "restore", "acme"])).toBe("acme is back.\n");
  });

  it.each([
    [["org", "show", "nowhere"], "", 1, /^loom: There is nothing here by that name, or you may not see it\.\n$/],
    [
      ["org", "create", "Acme"],
      "",
      exitCodeOf("usage"),
      /^loom: The field slug is wrong: must be lower-case letters[^\n]*\n$/,
    ],
    [
      ["org", "invite", "acme", "x@example.com", "--role", "boss"],
      "",
      exitCodeOf("usage"),
      /^loom: [^\n]*owner, admin, member, not "boss"[^\n]*\n$/,
    ],
    [["org", "change", "acme"], "", exitCodeOf("usage"), /^loom: Say what to change, [^\n]*\n$/],
    [["org", "accept"], "", exitCodeOf("usage"), /^loom: Nothing came on standard input[^\n]*\n$/],
    [["org", "accept"], "li_nonsense\n", exitCodeOf("unauthorized"), /^loom: This is for people: [^\n]*\n$/],
  ] as const)("say in one sentence what is wrong with %j", async (words, stdin, code, sentence) => {
    const answer = await loom(words, { stdin });
    expect(answer).toMatchObject({ code, stdout: "" });
    expect(answer.stderr).toMatch(sentence);
  });

  it("say that there is no server where none is configured", async () => {
    const { code, stderr } = await runLoom(home, ["org", "list"]);
    expect(code).toBe(exitCodeOf("configuration"));
    expect(stderr).toMatch(
      /^loom: Organizations, teams and API keys are on a Loom server, and none is set up: [^\n]*\n$/,
    );
  });

  it("keep the owner's token out of what they print", async () => {
    expect(await said(["org", "list", "--all", "--json"])).not.toContain(readFileSync(asOwner, "utf8").trim());
  });
});
