import { KIT_MIGRATIONS } from "../kit/job-claims.ts";
import type { MigrationSet } from "../kit/migrations.ts";
import { migrations as apiKeyMigrations } from "./api-keys/migrations.ts";
import { migrations as auditMigrations } from "./audit/migrations.ts";
import { budgets } from "./budgets/index.ts";
import { migrations as credentialMigrations } from "./credentials/migrations.ts";
import { ledger } from "./ledger/index.ts";
import { migrations as magicLinkMigrations } from "./magic-link/migrations.ts";
import { migrations as oauthMigrations } from "./oauth/migrations.ts";
import { owner } from "./owner/index.ts";
import { migrations as peopleMigrations } from "./people/migrations.ts";
import { migrations as policyMigrations } from "./policy/migrations.ts";
import { routing } from "./routing/index.ts";
import { migrations as secondFactorMigrations } from "./second-factor/migrations.ts";
import { migrations as sessionMigrations } from "./sessions/migrations.ts";
import { migrations as signInMigrations } from "./sign-in/migrations.ts";
import { migrations as threadMigrations } from "./threads/migrations.ts";
import { tokens } from "./tokens/index.ts";

/** The tables of all features, also of those that a server does not use: one database fits every server. */
export const MIGRATIONS: readonly MigrationSet[] = [
  KIT_MIGRATIONS,
  ...[owner, budgets, tokens, ledger, routing].map(({ name, migrations }) => ({ feature: name, migrations })),
  // Without the feature itself: the server of one turn has the tables and nothing else of it.
  { feature: "credentials", migrations: credentialMigrations },
  { feature: "audit", migrations: auditMigrations },
  { feature: "people", migrations: peopleMigrations },
  { feature: "policy", migrations: policyMigrations },
  { feature: "sessions", migrations: sessionMigrations },
  { feature: "sign-in", migrations: signInMigrations },
  { feature: "second-factor", migrations: secondFactorMigrations },
  { feature: "api-keys", migrations: apiKeyMigrations },
  { feature: "oauth", migrations: oauthMigrations },
  { feature: "magic-link", migrations: magicLinkMigrations },
  { feature: "threads", migrations: threadMigrations },
];
