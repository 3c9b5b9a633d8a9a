import { api, type ThreadEnd } from "@loom/api";
import type { AuditEventName } from "../../kit/audit-events.ts";
import type { Resource } from "../../kit/policy.ts";
import { isKnown, neededVersion, preconditionOf } from "../../kit/preconditions.ts";
import { PAGE_HEADERS, ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { principalOf, type Subject } from "../../kit/subject.ts";
import { type Changed, etagOf } from "./changes.ts";
import { DOCUMENT_TYPES, type DocumentService } from "./documents.ts";
import { follow } from "./follow.ts";
import { goOn } from "./follow-place.ts";
import { importThread } from "./importing.ts";
import type { LiveHub } from "./live-hub.ts";
import type { OutputService } from "./outputs.ts";
import type { SearchService } from "./search/search-service.ts";
import { organizationOf, type ThreadService } from "./service.ts";
import { voidPage, voidSentence } from "./share-page.ts";
import type { SharingService } from "./sharing.ts";
import type { ThreadStore } from "./store.ts";
import { noteSupportReads } from "./support-reads.ts";
import { endOf, resourceOf, type ThreadAccess, type ThreadRow } from "./thread-row.ts";

export type ThreadParts = {
  readonly store: ThreadStore;
  readonly service: ThreadService;
  readonly outputs: OutputService;
  readonly sharing: SharingService;
  readonly documents: DocumentService;
  readonly search: SearchService;
  readonly hub: LiveHub;
  readonly now: () => number;
  readonly heartbeatMs: number;
  readonly patienceMs: number;
};

const EXTENSIONS = { json: "json", markdown: "md", html: "html" } as const;

/** A session may have ended meanwhile: whoever follows comes back, and is looked at again. */
const FOLLOW_MS = 10 * 60_000;
/** So long a follower is taken for who he was when it was asked: other servers hear of changes no sooner. */
const KNOWN_MS = 1_000;

/** Records sent to a follower at a time. */
const FOLLOW_PAGE = 500;

type Recorder = (event: {
  event: AuditEventName;
  outcome: "success";
  target: { type: "thread"; id: string };
}) => unknown;

export function threadRoutes(parts: ThreadParts): Route[] {
  const { store, service, outputs, sharing, documents, search, hub } = parts;
  const resource = async ({ id }: { readonly id: string }): Promise<Resource | undefined> => {
    const access = await store.access(id);
    return access && resourceOf(access, parts.now());
  };
  /** As `resource`; what is not there yet is the asker's to make. */
  const ownOr = async ({ id }: { readonly id: string }, subject: Subject): Promise<Resource> =>
    (await resource({ id })) ?? { ...own(subject), id };
  const noted = (ids: Iterable<string>, request: Parameters<typeof noteSupportReads>[2]) =>
    noteSupportReads(parts, ids, request);
  const READ = { action: "read", resource, hidden: true } as const;
  const WRITE = { action: "write", resource, hidden: true } as const;
  const DELETE = { action: "delete", resource, hidden: true } as const;
  const SHARE = { action: "share", resource, hidden: true } as const;
  const access = async ({ id }: { readonly id: string }): Promise<Resource | undefined> => {
    const thread = await resource({ id });
    return thread && { ...thread, type: "support_access" };
  };
  const OWN = { action: "read", resource: (_: unknown, subject: Subject) => own(subject) } as const;

  return [
    route(api.threads.list, OWN, async ({ query, ...request }) => {
      const { subject } = request;
      const { author, tag, pinned, deleted, ...rest } = query;
      const found = await store.list(subject, {
        ...rest,
        author: author === "me" ? principalOf(subject) : author,
        tags: tag?.split(","),
        pinned: pinned === undefined ? undefined : pinned === "true",
        deleted: deleted === "true",
      });
      await noted(
        found.threads.map(({ id }) => id),
        request,
      );
      return found;
    }),
    route(api.threads.search, OWN, async ({ query, ...request }) => {
      const { subject } = request;
      const { q, author, tag, thread, exceptThread, ...rest } = query;
      const found = await search.search(subject, {
        ...rest,
        query: q,
        author: author === "me" ? principalOf(subject) : author,
        tags: tag?.split(","),
        id: thread,
        exceptId: exceptThread,
      });
      await noted(
        found.hits.map((hit) => hit.thread),
        request,
      );
      return found;
    }),
    route(api.threads.changes, OWN, ({ query, subject }) => store.changes(principalOf(subject), query)),
    route(
      api.threads.import,
      { action: "create", resource: (_, subject) => own(subject) },
      async ({ query, body, subject, audit }) => {
        const info = await importThread(parts, subject, query.format, body);
        await audit({
          event: "thread.imported",
          outcome: "success",
          target: { type: "thread", id: info.id },
          details: { format: query.format },
        });
        return new Reply(info, { status: 201, headers: { etag: `"${info.version}"` } });
      },
    ),
    route(
      api.threads.put,
      { action: "write", resource: ownOr, hidden: true },
      async ({ params: { id }, query, body, subject, call, audit }) => {
        const wish = { precondition: preconditionOf(call.incoming), copy: query.copy !== undefined };
        const changed = await service.put(subject, id, body.records, wish);
        if (changed.before === undefined) await done(audit, "thread.created", id);
        else await auditNarrowing(changed, audit);
        return endReply(changed, changed.before === undefined ? 201 : 200);
      },
    ),
    route(api.threads.append, WRITE, async ({ params: { id }, query, body, call, audit }) => {
      const version = neededVersion(call.incoming);
      if (body.from !== undefined && body.from !== version) {
        throw new ProblemError("invalid_input", "The field from is wrong: If-Match names another version.", {
          errors: [{ field: "from", message: "is not the version that If-Match names" }],
        });
      }
      const changed = await service.append(id, version, body.records, query.copy !== undefined);
      await auditNarrowing(changed, audit);
      return endReply(changed, 200);
    }),
    route(api.threads.get, READ, async ({ params: { id }, ...request }) => {
      await noted([id], request);
      const { call } = request;
      const row = await store.present(id);
      const etag = etagOf(row);
      const info = await store.infoOf(row);
      return isKnown(call.incoming, etag)
        ? new Reply(info, { status: 304, headers: { etag } })
        : new Reply(info, { headers: { etag } });
    }),
    route(api.threads.records, READ, async ({ params: { id }, query, ...request }) => {
      await noted([id], request);
      return store.records(id, query.after, query.limit);
    }),
    route(api.threads.digest, READ, ({ params: { id }, query }) => store.digest(id, query.at)),
    route(api.threads.messages, READ, async ({ params: { id }, query, ...request }) => {
      await noted([id], request);
      return store.messages(id, query.from, query.limit);
    }),
    route(api.threads.events, READ, async ({ params: { id }, query, ...request }) => {
      await noted([id], request);
      const { subject, call } = request;
      const from = goOn(await store.present(id), call.incoming.headers["last-event-id"], query.after);
      let who: Subject | undefined = subject;
      let knownUntil = performance.now() + KNOWN_MS;
      const isAllowed = (row: ThreadAccess): boolean =>
        who !== undefined && call.authorize(who, "read", resourceOf(row, parts.now())).allowed;
      // Replaced or purged: what the client has is not the beginning of it any more.
      const isToRead = async (): Promise<boolean> => {
        const row = await store.row(id);
        if (row?.generation !== from.generation) return false;
        who = await call.subjectNow();
        knownUntil = performance.now() + KNOWN_MS;
        return isAllowed(row);
      };
      const { heartbeatMs, patienceMs } = parts;
      await follow(call, {
        id,
        from,
        lifeMs: FOLLOW_MS,
        hub,
        heartbeatMs,
        patienceMs,
        mayRead: (row) => performance.now() < knownUntil && isAllowed(row),
        read: async (after) => {
          if (!(await isToRead())) return undefined;
          const { records } = await store.records(id, after, FOLLOW_PAGE);
          // Asked again: what was read may have come with a change that was made meanwhile.
          return records.length === 0 || (await isToRead()) ? records : undefined;
        },
      });
      return undefined;
    }),
    route(api.threads.delete, DELETE, async ({ params: { id }, query, call, audit }) => {
      const precondition = preconditionOf(call.incoming);
      const version = precondition?.type === "version" ? precondition.version : undefined;
      const purge = query.purge === "true";
      const { end, changed } = await service.remove(id, { purge, version });
      if (changed) await done(audit, purge ? "thread.purged" : "thread.deleted", id);
      return end;
    }),
    route(api.threads.restore, DELETE, async ({ params: { id }, audit }) => {
      const { end, changed } = await service.restore(id);
      if (changed) await done(audit, "thread.restored", id);
      return end;
    }),
    route(api.threads.missingOutputs, WRITE, async ({ params: { id }, body }) => ({
      missing: await outputs.missing(id, body.sha256s),
    })),
    route(api.threads.putOutput, WRITE, async ({ params: { id, sha256 }, body }) => {
      await outputs.put(id, sha256, body);
      return { sha256, bytes: body.length };
    }),
    route(api.threads.output, READ, async ({ params: { id, sha256 }, ...request }) => {
      await noted([id], request);
      const content = await outputs.get(id, sha256);
      return new Reply(content, { headers: { "content-type": "application/octet-stream" } });
    }),
    route(api.threads.visibility, SHARE, async ({ params: { id }, body, subject, audit }) => {
      const { before, after } = await service.setVisibility(subject, id, body);
      if (after.revision !== before.revision) {
        await audit({
          event: "thread.visibility_changed",
          outcome: "success",
          target: { type: "thread", id },
          ...(after.organization === null ? {} : { organization: after.organization }),
          before: placeOf(before),
          after: placeOf(after),
        });
      }
      return store.infoOf(after);
    }),
    route(api.threads.fork, READ, async ({ params: { id }, body, ...request }) => {
      await noted([id], request);
      const { subject, audit } = request;
      const info = await service.fork(subject, id, body.version);
      await audit({
        event: "thread.created",
        outcome: "success",
        target: { type: "thread", id: info.id },
        details: { forkedFrom: id },
      });
      return new Reply(info, { status: 201, headers: { etag: `"${info.version}"` } });
    }),
    route(api.threads.export, READ, async ({ params: { id }, query: { format }, ...request }) => {
      await noted([id], request);
      const { audit } = request;
      const text = await documents.document(await store.present(id), format, { standalone: true });
      await audit({
        event: "thread.exported",
        outcome: "success",
        target: { type: "thread", id },
        details: { format },
      });
      const file = `${id}.${EXTENSIONS[format]}`;
      const disposition = `attachment; filename="${file}"`;
      return new Reply(text, {
        headers: { ...PAGE_HEADERS, "content-type": DOCUMENT_TYPES[format], "content-disposition": disposition },
      });
    }),
    route(api.threads.share, SHARE, async ({ params: { id }, body, audit }) => {
      const share = await sharing.share(id, body.expiresAt);
      await audit({
        event: "thread.shared",
        outcome: "success",
        target: { type: "thread", id },
        details: { expiresAt: share.expiresAt },
      });
      return new Reply(share, { status: 201 });
    }),
    route(api.threads.unshare, SHARE, async ({ params: { id }, audit }) => {
      if (await sharing.unshare(id)) await done(audit, "thread.unshared", id);
      return { shared: false } as const;
    }),
    route(
      api.threads.shared,
      { action: "visit", resource: { type: "share_link" } },
      async ({ params: { token }, query: { format }, audit }) => {
        const shared = await sharing.shared(token);
        if (shared.state !== "open") {
          const isUnknown = shared.state === "unknown";
          if (format === "html") return new Reply(voidPage(shared.state), { status: isUnknown ? 404 : 410 });
          throw new ProblemError(isUnknown ? "not_found" : "gone", voidSentence(shared.state));
        }
        const { thread } = shared;
        await done(audit, "thread.share_opened", thread.id);
        const text = await documents.document(thread, format, { standalone: false });
        return new Reply(text, { headers: { "content-type": DOCUMENT_TYPES[format], "x-robots-tag": "noindex" } });
      },
    ),
    route(api.threads.supportAccess, { action: "read", resource: access, hidden: true }, ({ params: { id } }) =>
      sharing.supportAccess(id),
    ),
    route(
      api.threads.requestSupportAccess,
      { action: "create", resource: access, hidden: true },
      async ({ params: { id }, body, subject, audit }) => {
        const access = await sharing.request(id, principalOf(subject), body.reason);
        await done(audit, "support_access.requested", id);
        return access;
      },
    ),
    route(
      api.threads.approveSupportAccess,
      { action: "write", resource: access, hidden: true },
      async ({ params: { id }, audit }) => {
        const access = await sharing.approve(id);
        await done(audit, "support_access.granted", id);
        return access;
      },
    ),
    route(
      api.threads.revokeSupportAccess,
      { action: "delete", resource: access, hidden: true },
      async ({ params: { id }, audit }) => {
        const access = await sharing.revoke(id);
        await done(audit, "support_access.revoked", id);
        return access;
      },
    ),
  ];
}

function own(subject: Subject): Resource {
  const organization = organizationOf(subject);
  return {
    type: "thread",
    owner: principalOf(subject),
    ...(organization === null ? {} : { organization }),
    visibility: "private",
  };
}

function done(audit: Recorder, event: AuditEventName, id: string): unknown {
  return audit({ event, outcome: "success", target: { type: "thread", id } });
}

function endReply({ after }: Changed, status: number): Reply<ThreadEnd> {
  return new Reply(endOf(after), { status, headers: { etag: etagOf(after) } });
}

/** Records that make a thread visible to fewer people do so without being asked for it by itself. */
async function auditNarrowing({ before, after }: Changed, audit: Recorder): Promise<void> {
  if (before !== undefined && before.visibility !== after.visibility) {
    await done(audit, "thread.visibility_changed", after.id);
  }
}

function placeOf({ visibility, organization, team }: ThreadRow) {
  return { visibility, organization, team };
}
