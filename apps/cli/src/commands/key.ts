import { type ApiKeyInfo, type MintedApiKey, TOKEN_SCOPES, type TokenScope } from "@loom/api";
import { api } from "@loom/api/json-client";
import type { Invocation } from "../command-line/specification.ts";
import { duration, futureTime } from "../command-line/time.ts";
import { CliError } from "../exit-codes.ts";
import { plainTable } from "../output/plain-table.ts";
import { allPages, withServer } from "../people-server.ts";
import { textOf } from "../settings.ts";
import { printed } from "./org.ts";

const WEEK_MS = 7 * 86_400_000;

export function list(invocation: Invocation): Promise<number> {
  const org = textOf(invocation, "--org");
  return withServer(invocation, async (server) => {
    const keys = await allPages(async (query) => {
      const answer =
        org === undefined
          ? await server.ask(api.apiKeys.list, { query })
          : await server.ask(api.apiKeys.listOfOrganization, { params: { org }, query });
      return { rows: answer.keys, nextCursor: answer.nextCursor };
    });
    const now = Date.now();
    const rows = keys.map((key) => [
      key.id,
      key.name,
      `...${key.lastFour}`,
      key.scopes.join(" "),
      key.lastUsedAt === null ? "never" : `${key.lastUsedAt.slice(0, 10)} ${key.lastUsedFrom ?? ""}`.trim(),
      stateOf(key, now),
    ]);
    const columns = ["ID", "NAME", "ENDS IN", "SCOPES", "LAST USED", "STATE"];
    return printed(invocation, keys, () => plainTable(columns, rows, { none: "There are no keys." }));
  });
}

export function create(invocation: Invocation): Promise<number> {
  const [name = ""] = invocation.arguments;
  const [org, scopes, expires] = [
    textOf(invocation, "--org"),
    textOf(invocation, "--scope"),
    textOf(invocation, "--expires"),
  ];
  const body = {
    name,
    ...(scopes !== undefined && { scopes: scopesOf(scopes) }),
    ...(expires !== undefined && { expiresAt: futureTime("--expires", expires, Date.now()) }),
  };
  return withServer(invocation, async (server) => {
    const minted =
      org === undefined
        ? await server.ask(api.apiKeys.create, { body })
        : await server.ask(api.apiKeys.createOfOrganization, { params: { org }, body });
    return shown(invocation, minted);
  });
}

export function rotate(invocation: Invocation): Promise<number> {
  const [id = ""] = invocation.arguments;
  const overlap = textOf(invocation, "--overlap");
  const body =
    overlap === undefined
      ? {}
      : { overlapSeconds: duration("--overlap", overlap, { maxMs: WEEK_MS, most: "7d" }) / 1000 };
  return withServer(invocation, async (server) =>
    shown(invocation, await server.ask(api.apiKeys.rotate, { params: { id }, body })),
  );
}

export function revoke(invocation: Invocation): Promise<number> {
  const [id = ""] = invocation.arguments;
  return withServer(invocation, async (server) => {
    const revoked = await server.ask(api.apiKeys.revoke, { params: { id } });
    return printed(invocation, revoked, () => `The key ${revoked.name} (...${revoked.lastFour}) is void.\n`);
  });
}

/** The key alone on standard output, for `$(...)`; it is not shown again. */
function shown(invocation: Invocation, minted: MintedApiKey): Promise<number> {
  return printed(invocation, minted, () => `${minted.key}\n`);
}

function stateOf({ revokedAt, expiresAt, replacedBy }: ApiKeyInfo, now: number): string {
  if (revokedAt !== null) return "revoked";
  if (expiresAt === null) return "works";
  if (Date.parse(expiresAt) <= now) return replacedBy === null ? "expired" : "replaced";
  return `until ${expiresAt.slice(0, 16).replace("T", " ")}`;
}

function scopesOf(text: string): readonly TokenScope[] {
  const known: readonly string[] = TOKEN_SCOPES;
  const scopes = text.split(",").map((each) => each.trim());
  const unknown = scopes.find((each) => !known.includes(each));
  if (unknown === undefined) return scopes as TokenScope[];
  throw new CliError("usage", `--scope: ${JSON.stringify(unknown)} is none; there are ${TOKEN_SCOPES.join(", ")}.`);
}
