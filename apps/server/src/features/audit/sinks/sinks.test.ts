import { createSocket } from "node:dgram";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { runProcess } from "@loom/testkit";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import { selfSignedCertificate } from "../../../certificate.testing.ts";
import { SILENT_LOG } from "../../../kit/log.ts";
import { reachableAddresses } from "../../../kit/outgoing-address.ts";
import { temporaryDirectory } from "../../../testing.ts";
import { entry } from "../audit.testing.ts";
import { cefOf } from "./cef.ts";
import { fileTarget } from "./file-target.ts";
import { SinkQueue, type SinkTarget } from "./sink-queue.ts";
import { syslogMessage } from "./syslog-message.ts";
import { syslogTarget } from "./syslog-target.ts";
import { readWebhookSecrets } from "./webhook-signature.ts";
import { webhookTarget } from "./webhook-target.ts";

const NOW = Date.UTC(2026, 0, 31, 12);
const SENDER = { facility: 13, format: "json", host: "a host", app: "loom", version: "1", processId: 7 } as const;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

function queueOf(target: SinkTarget, more: { capacity?: number; firstPauseMs?: number } = {}): SinkQueue {
  return new SinkQueue(target, { minSeverity: "debug", log: SILENT_LOG, firstPauseMs: 1, ...more });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

async function home(): Promise<string> {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  return directory.path;
}

describe("the file", () => {
  it("has a line for each event and begins anew each day", async () => {
    const path = await home();
    let now = NOW;
    const sink = queueOf(fileTarget(path, () => now));
    sink.offer(entry("one", NOW));
    await until(() => sink.delivered === 1);
    now += 86_400_000;
    sink.offer(entry("two", NOW));
    await sink.close();
    expect(readdirSync(path).sort()).toEqual(["audit-2026-01-31.jsonl", "audit-2026-02-01.jsonl"]);
    const file = join(path, "audit-2026-01-31.jsonl");
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      at: "2026-01-31T12:00:00.000Z",
      target: { id: "one" },
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("has only whole lines after a full disk, and all of them once there is room", async ({ skip }) => {
    const path = await home();
    const disk = join(path, "disk");
    mkdirSync(disk);
    // Not everybody may mount; then there is no disk that could be full.
    const mounted = await runProcess("mount", ["-t", "tmpfs", "-o", "size=256k", "loom-test", disk]).catch(
      () => undefined,
    );
    if (mounted?.code !== 0) skip("mounting a tmpfs is not permitted here");
    onTestFinished(async () => void (await runProcess("umount", [disk])));
    const sink = queueOf(fileTarget(disk, () => NOW));
    sink.offer(entry("first", NOW));
    await until(() => sink.delivered === 1);
    let failures = 0;
    const ballast = join(disk, "ballast");
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(512), { flag: "a" });
    } catch {
      failures += 1;
    }
    for (let count = 0; count < 200; count += 1)
      sink.offer(entry(`e${count}`, NOW, { details: { text: "x".repeat(100) } }));
    for (let turn = 0; turn < 500; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const file = join(disk, "audit-2026-01-31.jsonl");
    // A half line is cut off as soon as the disk has refused the rest of it.
    await until(() => readFileSync(file, "utf8").endsWith("\n"));
    rmSync(ballast);
    await until(() => sink.waiting === 0);
    await sink.close();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).target.id)).toEqual([
      "first",
      ...Array.from({ length: 200 }, (_, n) => `e${n}`),
    ]);
    expect(failures).toBe(1);
  });
});

describe("syslog", () => {
  it("is RFC 5424, with the facility, the severity, and the event as its id", () => {
    const message = syslogMessage(entry("one", NOW, { event: "credential.disabled" }), SENDER).toString("utf8");
    const shape = /^<106>1 2026-01-31T12:00:00\.000Z a_host loom 7 credential\.disabled - \ufeff(\{.*\})$/;
    expect(JSON.parse(shape.exec(message)?.[1] ?? "")).toMatchObject({ event: "credential.disabled" });
  });

  it("is CEF where that is asked for, escaped as it has to be", () => {
    const cef = cefOf(
      entry("a=b\\c", NOW, {
        actor: { type: "user", id: "u|1", name: "line\nbreak" },
        origin: { requestId: "r", address: "::1" },
      }),
      "1|2",
    );
    expect(cef.startsWith("CEF:0|Loom|loom-server|1\\|2|token.created|An access token was made|3|rt=")).toBe(true);
    expect(cef).toContain("suser=line\\nbreak");
    expect(cef).toContain("cs1=token/a\\=b\\\\c");
    expect(cef).toContain("c6a2=::1");
  });

  it.each([
    ["debug", 0],
    ["info", 1],
    ["notice", 3],
    ["warning", 5],
    ["error", 7],
    ["critical", 10],
  ] as const)("gives %s the CEF severity %i", (severity, number) => {
    expect(cefOf(entry("one", NOW, { severity }), "1")).toContain(`|${number}|rt=`);
  });

  it("arrives in datagrams, without its facts where it would be too large", async () => {
    const receiver = createSocket("udp4");
    onTestFinished(() => void receiver.close());
    const got: Buffer[] = [];
    receiver.on("message", (message) => got.push(message));
    await new Promise<void>((resolve) => receiver.bind(0, "127.0.0.1", resolve));
    const { port } = receiver.address();
    const sink = queueOf(syslogTarget({ transport: "udp", host: "127.0.0.1", port }, SENDER));
    sink.offer(entry("small", NOW));
    sink.offer(entry("large", NOW, { details: { text: "x".repeat(4_000) } }));
    await until(() => got.length === 2);
    await sink.close();
    expect(String(got[0])).toContain("small");
    expect(String(got[1])).toContain("too large for a datagram");
  });

  it.each(["tcp", "tls"] as const)("arrives over %s in counted octets, and after a break again", async (transport) => {
    const { cert, key } = selfSignedCertificate();
    let bytes = Buffer.alloc(0);
    const sockets = new Set<{ destroy(): void }>();
    const take = (socket: import("node:net").Socket): void => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("data", (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
      });
    };
    const receiver = transport === "tcp" ? createServer(take) : createTlsServer({ cert, key }, take);
    onTestFinished(() => void receiver.close());
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port } = receiver.address() as AddressInfo;
    const address = { transport, host: "127.0.0.1", port, ...(transport === "tls" ? { ca: cert } : {}) };
    const sink = queueOf(syslogTarget(address, SENDER));
    sink.offer(entry("ä", NOW));
    await until(() => bytes.includes("ä"));
    for (const socket of sockets) socket.destroy();
    await until(() => {
      sink.offer(entry("again", NOW));
      return bytes.includes("again");
    });
    await sink.close();
    const length = Number(/^\d+/.exec(bytes.toString("latin1"))?.[0]);
    const first = bytes.subarray(String(length).length + 1, String(length).length + 1 + length).toString("utf8");
    expect(first.startsWith("<109>1 ") && first.endsWith("}")).toBe(true);
  });

  it("does not go to a receiver whose certificate nobody vouches for", async () => {
    const { cert, key } = selfSignedCertificate();
    let connections = 0;
    const receiver = createTlsServer({ cert, key }, () => (connections += 1));
    receiver.on("tlsClientError", () => undefined);
    onTestFinished(() => void receiver.close());
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port } = receiver.address() as AddressInfo;
    const target = syslogTarget({ transport: "tls", host: "127.0.0.1", port }, SENDER);
    await expect(target.deliver([entry("one", NOW)], new AbortController().signal)).rejects.toThrow(/certificate/i);
  });
});

describe("the webhook", () => {
  type Got = { readonly headers: Record<string, string>; readonly body: string };

  async function receiver(answers: (count: number) => number) {
    const got: Got[] = [];
    const server = createHttpServer((incoming, outgoing) => {
      let body = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      incoming.on("end", () => {
        got.push({ headers: incoming.headers as Record<string, string>, body });
        outgoing.writeHead(answers(got.length), { location: "/elsewhere" }).end();
      });
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { got, port: (server.address() as AddressInfo).port };
  }

  const to = (url: string, allow: readonly string[] = ["127.0.0.0/8", "::1"]) =>
    webhookTarget({
      url: new URL(url),
      secrets: readWebhookSecrets(SECRET, "it"),
      mayReach: reachableAddresses(allow),
      version: "1",
      now: Date.now,
    });

  it("is signed so that the standard's own library believes it, and comes again with its id after a failure", async () => {
    const { got, port } = await receiver((count) => (count === 1 ? 500 : 204));
    const sink = queueOf(to(`http://127.0.0.1:${port}/hook`));
    const sent = entry("one", NOW);
    sink.offer(sent);
    await until(() => sink.delivered === 1);
    await sink.close();
    expect(got.map(({ headers }) => headers["webhook-id"])).toEqual([sent.id, sent.id]);
    for (const { headers, body } of got) {
      expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({ type: "token.created", data: { id: sent.id } });
    }
  });

  it("follows no redirect, and gives one event up after some tries without holding up the others", async () => {
    const { got, port } = await receiver((count) => (count <= 8 ? 302 : 200));
    const sink = queueOf(to(`http://127.0.0.1:${port}/hook`));
    sink.offer(entry("refused", NOW));
    sink.offer(entry("taken", NOW));
    await until(() => sink.delivered === 1);
    await sink.close();
    expect(sink).toMatchObject({ failed: 1, delivered: 1, waiting: 0 });
    expect(got).toHaveLength(9);
  });

  it.each([
    "http://127.0.0.1:PORT/",
    "http://localhost:PORT/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
  ])("does not reach this machine by %s unless it may", async (url) => {
    const { got, port } = await receiver(() => 200);
    const target = to(url.replace("PORT", String(port)), []);
    await expect(target.deliver([entry("one", NOW)], new AbortController().signal)).rejects.toThrow(/not allowed/);
    expect(got).toEqual([]);
  });
});

describe("a sink that is stuck", () => {
  it("holds up nobody, keeps the newest events, and counts the others", async () => {
    let go = (): void => undefined;
    const stuck = new Promise<void>((resolve) => {
      go = resolve;
    });
    const got: string[] = [];
    const sink = queueOf(
      {
        name: "stuck",
        batch: 10,
        async deliver(entries) {
          await stuck;
          got.push(...entries.map(({ target }) => target?.id ?? ""));
        },
        close: async () => undefined,
      },
      { capacity: 100 },
    );
    for (let count = 0; count < 250; count += 1) sink.offer(entry(`e${count}`, NOW));
    expect(sink).toMatchObject({ waiting: 100, dropped: 150 });
    go();
    await until(() => sink.waiting === 0);
    expect(got.at(-1)).toBe("e249");
    await sink.close();
  });
});
