import type { z } from "zod";
import { account } from "./contracts/account.ts";
import { apiKeys } from "./contracts/api-keys.ts";
import { audit } from "./contracts/audit.ts";
import { budgets } from "./contracts/budgets.ts";
import { credentials } from "./contracts/credentials.ts";
import { domains } from "./contracts/domains.ts";
import { impersonation } from "./contracts/impersonation.ts";
import { llm } from "./contracts/llm.ts";
import { magicLink } from "./contracts/magic-link.ts";
import { oauth } from "./contracts/oauth.ts";
import { organizationDomains } from "./contracts/organization-domains.ts";
import { organizations } from "./contracts/organizations.ts";
import { passkeys } from "./contracts/passkeys.ts";
import { policies } from "./contracts/policies.ts";
import { prices } from "./contracts/prices.ts";
import { routes } from "./contracts/routes.ts";
import { secondFactor } from "./contracts/second-factor.ts";
import { sessions } from "./contracts/sessions.ts";
import { signIn } from "./contracts/sign-in.ts";
import { system } from "./contracts/system.ts";
import { teams } from "./contracts/teams.ts";
import { threads } from "./contracts/threads.ts";
import { tokens } from "./contracts/tokens.ts";
import { usage } from "./contracts/usage.ts";
import { users } from "./contracts/users.ts";
import type { Problem } from "./problem.ts";

/** The schema of the problem document that any route may answer with. */
export const loadProblemSchema = (): Promise<z.ZodType<Problem>> =>
  import("./schemas/problem.ts").then((schemas) => schemas.problemSchema);

/** Every route of the server. */
export const api = {
  account,
  apiKeys,
  audit,
  budgets,
  credentials,
  domains,
  impersonation,
  llm,
  magicLink,
  oauth,
  organizationDomains,
  organizations,
  passkeys,
  policies,
  prices,
  routes,
  secondFactor,
  sessions,
  signIn,
  system,
  teams,
  threads,
  tokens,
  usage,
  users,
} as const;
