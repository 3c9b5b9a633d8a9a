import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { MIGRATIONS } from "./features/migrations.ts";
import { openDatabase } from "./kit/database.ts";
import { runPolicyCommand } from "./policy-command.ts";
import { DATABASE_FILE } from "./server.ts";
import { temporaryDirectory } from "./testing.ts";

/** A data directory with a database in it. */
async function serverHome() {
  const home = await temporaryDirectory();
  const database = await openDatabase({ file: `${home.path}/${DATABASE_FILE}`, migrations: MIGRATIONS });
  await database.close();
  return home;
}

async function policyCommand(...args: string[]): Promise<{ printed: string; said: string }> {
  const [printed, said]: [string[], string[]] = [[], []];
  const output = { print: (text: string) => void printed.push(text), say: (text: string) => void said.push(text) };
  await runPolicyCommand(args, {}, output);
  return { printed: printed.join(""), said: said.join("\n") };
}

test("check says that the server's policies fit, and whether a file may be added by an organization", async () => {
  await using home = await temporaryDirectory();
  const file = `${home.path}/mine.cedar`;
  await writeFile(file, `forbid (principal, action == Action::"share", resource is Thread);`);
  expect((await policyCommand("check", file)).said).toMatch(
    /^The \d+ policies of the server fit their schema, and so do .+\.$/,
  );
  await writeFile(file, "permit (principal, action, resource);");
  await expect(policyCommand("check", file)).rejects.toThrow(/mine\.cedar: .*can only forbid/);
  await expect(policyCommand("check", `${home.path}/none`)).rejects.toThrow(/cannot be read \(ENOENT\)\.$/);
});

test("explain says who may not, why, and what would be needed", async () => {
  await using home = await serverHome();
  const { printed } = await policyCommand(
    ...["explain", "--subject", "anonymous", "--action", "read", "--resource", "thread:T-1", "--data", home.path],
  );
  expect(printed).toMatch(
    /^anonymous may not read this thread\.\n\nNo policy allows it\. It would be allowed by one of/,
  );
  expect(printed).toContain(`is missing: when { resource.visibility == "public" }`);
  const args = ["explain", "--subject", "owner", "--action", "delete", "--resource", "organization:org-1"];
  expect((await policyCommand(...args, "--data", home.path)).printed).toMatch(
    /^owner may delete .*\n\nserver\.owner: /,
  );
});

test("a mistake on the command line is told as a sentence", async () => {
  await using home = await serverHome();
  const explain = (subject: string, action: string, resource: string, ...more: string[]) =>
    policyCommand(
      "explain",
      ...["--subject", subject, "--action", action, "--resource", resource, "--data", home.path],
      ...more,
    );
  await expect(policyCommand("explain")).rejects.toThrow(/Say who, what and about what/);
  await expect(policyCommand("forget")).rejects.toThrow(/There is no loom-server policy forget/);
  await expect(policyCommand("check", "--wrong")).rejects.toThrow(/see loom-server policy --help\.$/);
  await expect(explain("nobody", "read", "thread")).rejects.toThrow(/There is no user "nobody"/);
  await expect(explain("owner", "read", "hat")).rejects.toThrow(/There is no resource "hat"/);
  await expect(explain("owner", "visit", "thread")).rejects.toThrow(/Nobody can "visit" a thread/);
  await expect(explain("owner", "read", "thread", "--visibility", "none")).rejects.toThrow(/--visibility is one of/);
  expect((await policyCommand("--help")).printed).toMatch(/^Usage: loom-server policy explain/);
});
