import { readFile } from "node:fs/promises";
import type { PolicyExplanation } from "@loom/api";
import { commandDatabase, onCommandDatabase } from "./command-database.ts";
import { ChangeFeed } from "./features/people/change-feed.ts";
import { createUsers } from "./features/people/users.ts";
import { checkedPolicies } from "./features/policy/built-in-policies.ts";
import { createAuthorize } from "./features/policy/cached-authorize.ts";
import { createExplain } from "./features/policy/explain.ts";
import { type ExplainWish, questionOf, WrongQuestion } from "./features/policy/explain-question.ts";
import { createFollowedPolicies, type OrganizationPolicies } from "./features/policy/organization-policies.ts";
import { checkOrganizationPolicy, parseOrganizationPolicy } from "./features/policy/organization-policy.ts";
import type { PolicyBook } from "./features/policy/policy-book.ts";
import { PolicyError } from "./features/policy/policy-error.ts";
import { policyFiles } from "./features/policy/policy-files.ts";
import { createSecondFactorStore } from "./features/second-factor/store.ts";
import type { Database } from "./kit/database.ts";
import { POLICY_HELP, parsePolicyCommand } from "./policy-command-line.ts";
import { UsageError } from "./usage-error.ts";

export type PolicyCommandOutput = {
  /** For the standard output. */
  readonly print: (text: string) => void;
  /** A sentence for the person. */
  readonly say: (sentence: string) => void;
};

/**
 * `loom-server policy …`: works on the database itself, whether a server runs or not.
 * @throws UsageError, PolicyError, ConfigError, DatabaseError
 */
export async function runPolicyCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { print, say }: PolicyCommandOutput,
): Promise<void> {
  const command = parsePolicyCommand(args, env);
  if (command.type === "help") {
    print(POLICY_HELP);
    return;
  }
  const files = policyFiles();
  const book: PolicyBook = { schema: files.schema, ...checkedPolicies(files) };
  if (command.type === "check") {
    for (const file of command.files) await checkFile(file, book);
    const more = command.files.length === 0 ? "" : `, and so do ${command.files.join(", ")}`;
    say(`The ${book.policies.length} policies of the server fit their schema${more}.`);
    return;
  }
  const place = commandDatabase(command.dataDirectory, env, { mayMake: false, warn: say });
  await onCommandDatabase(place, async (database) => {
    print(described(command.wish, await explained(command.wish, book, database)));
  });
}

async function checkFile(file: string, book: PolicyBook): Promise<void> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`The file ${file} cannot be read (${error.code}).`);
  });
  try {
    checkOrganizationPolicy(book, parseOrganizationPolicy("org", "policy", text));
  } catch (error) {
    throw error instanceof PolicyError ? new PolicyError(`In ${file}: ${error.message}`) : error;
  }
}

async function explained(wish: ExplainWish, book: PolicyBook, database: Database): Promise<PolicyExplanation> {
  const open = async (): Promise<Database> => database;
  const factors = createSecondFactorStore(open);
  const users = createUsers({
    database: open,
    feed: new ChangeFeed(async () => ({ revision: 0, ids: [] })),
    hasSecondFactor: async (userId) => (await factors.factors(userId)).length > 0,
    wall: Date.now,
  });
  const own: OrganizationPolicies = createFollowedPolicies(open, book);
  await own.follow();
  const authorize = own.restrict(createAuthorize(book));
  const explain = createExplain({ policies: book.policies, authorize, ownPolicy: (id) => own.find(id) });
  const { subject, action, resource } = await questionOf(wish, book, users).catch((error: unknown) => {
    throw error instanceof WrongQuestion ? new UsageError(error.message) : error;
  });
  return explain(subject, action, resource);
}

function described({ subject, action, resource }: ExplainWish, explanation: PolicyExplanation): string {
  const { allowed, policy, says, text, needed } = explanation;
  const verdict = `${subject} ${allowed ? "may" : "may not"} ${action} this ${resource}.`;
  if (text !== "") return `${verdict}\n\n${policy}: ${says}\n\n${text.trim()}\n`;
  const missing = needed.map((each) => `  ${each.policy}: ${each.says}\n    is missing: ${each.missing}\n`);
  const rest =
    missing.length === 0
      ? "No policy could allow it.\n"
      : `It would be allowed by one of these:\n\n${missing.join("")}`;
  return `${verdict}\n\nNo policy allows it. ${rest}`;
}
