import type { ThreadsClient } from "@loom/api/threads-client";
import type { ThreadId } from "@loom/core";
import { isVisibility, ThreadError, type ThreadStore, type VISIBILITIES } from "@loom/threads";
import type { Invocation } from "../command-line/specification.ts";
import { futureTime } from "../command-line/time.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { openServerThreads, type ServerThreads } from "../server-threads.ts";
import { loadSettings, textOf } from "../settings.ts";
import { openThreadStore } from "../thread-access.ts";

/** How long it may take until the server has what is to be shared. */
const SYNC_MS = 60_000;

/** Lets others read a thread: by a link, by who may see it, or the support. */
export async function run(invocation: Invocation): Promise<number> {
  const wish = wishOf(invocation);
  const settings = await loadSettings(invocation);
  const threads = openServerThreads(settings);
  try {
    const store = openThreadStore(settings.directories);
    const id = chosen(store, invocation.arguments[0], settings.workspace);
    if (wish.type !== "revoke_link" && wish.type !== "revoke_support") await bringUp(threads, store, id);
    process.stdout.write(`${await perform(threads, store, id, wish)}\n`);
    return exitCodeOf("ok");
  } finally {
    threads.close();
  }
}

type Wish =
  | { readonly type: "link"; readonly expiresAt: string | undefined }
  | { readonly type: "visibility"; readonly level: (typeof VISIBILITIES)[number] }
  | { readonly type: "revoke_link" | "support" | "revoke_support" };

function wishOf(invocation: Invocation): Wish {
  const { flags } = invocation;
  const level = textOf(invocation, "--visibility");
  const expires = textOf(invocation, "--expires");
  const isRevoked = flags.has("--revoke");
  const forSupport = flags.has("--support");
  if (level !== undefined && (isRevoked || forSupport || expires !== undefined)) {
    throw new CliError("usage", "--visibility goes with none of the other flags: --visibility private takes it back.");
  }
  if (expires !== undefined && (isRevoked || forSupport)) {
    throw new CliError("usage", "--expires is about a new link: it goes neither with --revoke nor with --support.");
  }
  if (level !== undefined && isVisibility(level)) return { type: "visibility", level };
  if (forSupport) return { type: isRevoked ? "revoke_support" : "support" };
  if (isRevoked) return { type: "revoke_link" };
  return { type: "link", expiresAt: expires && futureTime("--expires", expires, Date.now()) };
}

function chosen(store: ThreadStore, text: string | undefined, workspace: string): ThreadId {
  if (text !== undefined) return store.resolve(text);
  const [newest] = store.list({ limit: 1, workspace });
  if (newest === undefined)
    throw new CliError("thread", `There is no thread in ${workspace} yet: start one with loom.`);
  return newest.id;
}

/** Sees to it that the server has all of the thread. */
async function bringUp({ sync }: ServerThreads, store: ThreadStore, id: ThreadId): Promise<void> {
  if (store.load(id).facts.private) {
    const undo = `loom threads private ${id} --undo`;
    throw new CliError("thread", `Thread ${id} is private and never leaves this machine: "${undo}" first.`);
  }
  const outcome = await sync.run({ signal: AbortSignal.timeout(SYNC_MS), first: id, hurry: true });
  if (outcome.type === "failed") throw new CliError("unreachable", outcome.failure.message);
  const { failures, withdrawn, detached } = sync.status();
  const own = failures.find((each) => each.id === id);
  if (own !== undefined) throw new CliError("failed", own.failure.message);
  if (withdrawn.includes(id) || detached.includes(id)) {
    throw new CliError(
      "thread",
      `Thread ${id} was removed from the server and cannot come back under its id: share a copy (loom resume ${id} --fork).`,
    );
  }
}

async function perform(
  { client, sync, server }: ServerThreads,
  store: ThreadStore,
  id: ThreadId,
  wish: Wish,
): Promise<string> {
  switch (wish.type) {
    case "visibility": {
      const { visibility } = await client.setVisibility(id, { visibility: wish.level });
      // So that the thread itself says so, here and on other machines; while it is open in a session, the server alone does.
      await store.change(id, { visibility }).catch((error: unknown) => {
        if (!(error instanceof ThreadError) || error.code !== "thread_in_use") throw error;
      });
      await sync.run({ signal: AbortSignal.timeout(SYNC_MS), first: id, hurry: true });
      return `Thread ${id} is now visible: ${visibility}.`;
    }
    case "link": {
      const { path, expiresAt } = await client.share(id, wish.expiresAt);
      const until = expiresAt === null ? "until it is revoked" : `until ${shown(expiresAt)}`;
      process.stderr.write(`Whoever has this link can read thread ${id}, ${until}; an earlier link is void.\n`);
      return `${server}${path}`;
    }
    case "revoke_link":
      await client.unshare(id);
      return `There is no link to thread ${id} any more.`;
    case "support":
      return approveSupport(client, id);
    case "revoke_support":
      await client.revokeSupportAccess(id);
      return `The support cannot read thread ${id}.`;
  }
}

async function approveSupport(client: ThreadsClient, id: ThreadId): Promise<string> {
  const { state } = await client.supportAccess(id);
  if (state === "none" || state === "revoked" || state === "expired") {
    throw new CliError("failed", `The support has not asked to read thread ${id}: it asks, and you approve.`);
  }
  const { expiresAt } = await client.approveSupportAccess(id);
  return `The support can read thread ${id}${expiresAt === null ? "" : ` until ${shown(expiresAt)}`}; --support --revoke ends that.`;
}

function shown(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}
