import { Agent, request } from "node:http";
import type { Socket } from "node:net";
import { planMark } from "./plan.ts";
import type { Wish } from "./traffic.ts";
import { bodyOf, endMark } from "./ways.ts";

/** What a client saw of its request. Times in Unix milliseconds. */
export type Asked = {
  readonly id: number;
  readonly way: string;
  readonly wish: Pick<Wish, "manner" | "stream" | "token"> & { readonly fault: string | undefined };
  readonly promptBytes: number;
  readonly startedMs: number;
  readonly endedMs: number;
  /** When its connection was made, for this request or an earlier one; absent: it had none. */
  readonly connectedMs: number | undefined;
  /** When the client dropped the connection by its own will. */
  readonly leftMs: number | undefined;
  /** 0: no answer began. */
  readonly status: number;
  readonly requestId: string | undefined;
  /** A whole answer of a provider without a fault, with the mark of its dialect at the end and no error in it. */
  readonly whole: boolean;
  /** Code of the connection's error. */
  readonly broken: string | undefined;
  /** The client gave up waiting; nothing may hang for so long. */
  readonly hung: boolean;
};

const agent = new Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 64, timeout: 60_000 });
const HANG_MS = 60_000;
const SLOW_MS = 4_000;
const TAIL_BYTES = 2_000;

const connectedAt = new WeakMap<Socket, number>();

export function closeConnections(): void {
  agent.destroy();
}

/** One request, from its first byte to whatever end. Never rejects. */
export function ask(base: string, bearer: string, wish: Wish): Promise<Asked> {
  const { plan, way, stream, manner, token } = wish;
  const prompt = `${"word ".repeat(Math.ceil(wish.promptBytes / 5))}${planMark(plan)}`;
  const body = Buffer.from(bodyOf(way, prompt, stream));
  const startedMs = Date.now();
  return new Promise((resolve) => {
    let status = 0;
    let requestId: string | undefined;
    let broken: string | undefined;
    let leftMs: number | undefined;
    let hung = false;
    let complete = false;
    let connectedMs: number | undefined;
    let tail = "";
    const outgoing = request(`${base}${way.path(stream)}`, {
      method: "POST",
      agent,
      headers: {
        authorization: `Bearer ${bearer}`,
        "content-type": "application/json",
        "content-length": body.length,
        "x-loom-session": `soak-${plan.id}`,
        "user-agent": `soak-${way.dialect}/1`,
      },
    });
    const leave = (): void => {
      leftMs ??= Date.now();
      outgoing.destroy();
    };
    const hang = setTimeout(() => {
      hung = true;
      outgoing.destroy();
    }, HANG_MS);
    const leaving = manner === "leaves before the answer" ? setTimeout(leave, 50 + (plan.id % 7) * 100) : undefined;
    outgoing.once("socket", (socket) => {
      connectedMs = connectedAt.get(socket);
      if (connectedMs !== undefined) return;
      socket.once("connect", () => {
        connectedMs = Date.now();
        connectedAt.set(socket, connectedMs);
      });
    });
    outgoing.on("response", (response) => {
      status = response.statusCode ?? 0;
      requestId = response.headers["x-request-id"]?.toString();
      if (manner === "reads slowly") {
        response.pause();
        setTimeout(() => response.resume(), SLOW_MS);
      }
      response.on("data", (chunk: Buffer) => {
        tail = (tail + chunk.toString("latin1")).slice(-TAIL_BYTES);
        if (manner === "leaves in the middle") leave();
      });
      response.on("end", () => {
        complete = response.complete;
      });
      response.on("error", () => undefined);
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      broken = error.code ?? error.message;
    });
    outgoing.once("close", () => {
      clearTimeout(hang);
      clearTimeout(leaving);
      const isError = tail.includes('"error"') && !tail.includes('"error":null');
      const ended = !stream || plan.gzip || tail.includes(endMark(way));
      const { fault } = plan;
      resolve({
        id: plan.id,
        way: way.name,
        wish: { manner, stream, token, fault },
        promptBytes: body.length,
        startedMs,
        endedMs: Date.now(),
        connectedMs,
        leftMs,
        status,
        requestId,
        whole: complete && status === 200 && ended && !isError && fault === undefined,
        broken: leftMs === undefined ? broken : undefined,
        hung,
      });
    });
    outgoing.end(body);
  });
}
