import type { DomainClaim } from "@loom/api";
import { api } from "@loom/api/json-client";
import type { Invocation } from "../command-line/specification.ts";
import { CliError } from "../exit-codes.ts";
import { plainTable } from "../output/plain-table.ts";
import { allPages, withServer } from "../people-server.ts";
import { textOf } from "../settings.ts";
import { oneOf, printed } from "./org.ts";

const ANY_PROVIDER = "any";
const FORCED = ["yes", "no"] as const;

export function list(invocation: Invocation): Promise<number> {
  const [org = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const claims = await allPages(async (query) => {
      const answer = await server.ask(api.organizationDomains.list, { params: { org }, query });
      return { rows: answer.domains, nextCursor: answer.nextCursor };
    });
    const rows = claims.map(({ domain, state, provider, forced, expiresAt }) => [
      domain,
      state,
      provider ?? ANY_PROVIDER,
      forced ? "yes" : "no",
      expiresAt?.slice(0, 10) ?? null,
    ]);
    return printed(invocation, claims, () =>
      plainTable(["DOMAIN", "STATE", "PROVIDER", "FORCED", "UNTIL"], rows, {
        none: "The organization has no domains.",
      }),
    );
  });
}

export function claim(invocation: Invocation): Promise<number> {
  const [org = "", domain = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const claimed = await server.ask(api.organizationDomains.claim, { params: { org }, body: { domain } });
    return printed(invocation, claimed, () =>
      claimed.state === "proven" ? provenText(claimed) : recordText(org, claimed),
    );
  });
}

export function prove(invocation: Invocation): Promise<number> {
  const [org = "", domain = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const proven = await server.ask(api.organizationDomains.prove, { params: { org, domain } });
    return printed(invocation, proven, () => provenText(proven));
  });
}

export function rule(invocation: Invocation): Promise<number> {
  const [org = "", domain = ""] = invocation.arguments;
  const [provider, forced] = [textOf(invocation, "--provider"), textOf(invocation, "--forced")];
  const body = {
    ...(provider !== undefined && { provider: provider === ANY_PROVIDER ? null : provider }),
    ...(forced !== undefined && { forced: oneOf("--forced", forced, FORCED) === "yes" }),
  };
  if (Object.keys(body).length === 0) throw new CliError("usage", "Say what to change: --provider or --forced.");
  return withServer(invocation, async (server) => {
    const { version } = await server.ask(api.organizationDomains.get, { params: { org, domain } });
    const changed = await server.ask(api.organizationDomains.change, {
      params: { org, domain },
      body,
      ifMatch: version,
    });
    return printed(invocation, changed, () => ruleText(changed));
  });
}

export function remove(invocation: Invocation): Promise<number> {
  const [org = "", domain = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const { version } = await server.ask(api.organizationDomains.get, { params: { org, domain } });
    const removed = await server.ask(api.organizationDomains.remove, { params: { org, domain }, ifMatch: version });
    return printed(invocation, removed, () => `${removed.domain} is not a domain of ${org} any more.\n`);
  });
}

function recordText(org: string, { domain, record: { name, value }, expiresAt }: DomainClaim): string {
  const until = expiresAt?.slice(0, 10) ?? "";
  return `Add this TXT record until ${until}; then "loom org prove ${org} ${domain}" looks for it:\n${name}\n${value}\n`;
}

function provenText({ domain }: DomainClaim): string {
  return `${domain} is proven.\n`;
}

function ruleText({ domain, provider, forced }: DomainClaim): string {
  if (provider === null) return `People of ${domain} sign in with whom they like.\n`;
  return `People of ${domain} sign in with ${provider}${forced ? ", and with nobody else" : ""}.\n`;
}
