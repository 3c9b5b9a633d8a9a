// The scripted provider: a process of its own that answers as the plan in each prompt says, and counts by itself.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { addTokens, NO_TOKENS, type Plan, planIn, type Tokens } from "./plan.ts";
import { deliver } from "./provider-delivery.ts";
import type { ProviderMessage, Served } from "./provider-messages.ts";
import { countedTokens, type WireDialect } from "./wire-answers.ts";

const TELL_MS = 250;

const sums: Record<string, { requests: number; tokens: Tokens }> = {};
const strays: Record<string, number> = {};
let batch: Served[] = [];
let open = 0;
let connections = 0;

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, noDelay: true }, (incoming, outgoing) => {
  const parts: Buffer[] = [];
  incoming.on("data", (part: Buffer) => parts.push(part));
  incoming.on("error", () => undefined);
  outgoing.on("error", () => undefined);
  incoming.once("end", () => answer(incoming, outgoing, Buffer.concat(parts)));
});
server.on("connection", (socket) => {
  connections += 1;
  socket.once("close", () => {
    connections -= 1;
  });
});
server.listen(0, "127.0.0.1", () => tell({ type: "listening", port: (server.address() as AddressInfo).port }));
process.on("message", () => {
  flush();
  tell({ type: "state", connections, open, strays, sums });
});
process.on("disconnect", () => process.exit(0));
setInterval(flush, TELL_MS);

function answer(incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer): void {
  const url = incoming.url ?? "";
  const upstream = /^\/up\/([a-z]+)/.exec(url)?.[1] ?? "";
  const dialect = dialectOf(url);
  const plan = planIn(body);
  if (plan === undefined || dialect === undefined) {
    const name = `${incoming.method} ${url.split("?")[0]}`;
    strays[name] = (strays[name] ?? 0) + 1;
    outgoing.writeHead(404, { "content-type": "application/json" }).end('{"error":{"message":"no such thing"}}');
    return;
  }
  serve(plan, { upstream, dialect, url, body }, outgoing);
}

function serve(
  plan: Plan,
  asked: { readonly upstream: string; readonly dialect: WireDialect; readonly url: string; readonly body: Buffer },
  outgoing: ServerResponse,
): void {
  const { upstream, dialect, url, body } = asked;
  const stream = dialect === "gemini" ? url.includes(":stream") : body.includes('"stream":true');
  const counted = countedTokens(dialect, plan.tokens);
  const startedMs = Date.now();
  open += 1;
  const delivery = deliver(plan, { dialect, stream, model: modelOf(url, body) }, outgoing);
  outgoing.once("close", () => {
    open -= 1;
    delivery.stop();
    const { whole, sentBytes } = delivery.state();
    const aborted = !outgoing.writableFinished && !delivery.state().cutByUs;
    batch.push({
      id: plan.id,
      upstream,
      dialect,
      stream,
      startedMs,
      endedMs: Date.now(),
      whole,
      counted,
      sentBytes,
      aborted,
    });
    if (!whole) return;
    const sum = sums[upstream] ?? { requests: 0, tokens: NO_TOKENS };
    sums[upstream] = { requests: sum.requests + 1, tokens: addTokens(sum.tokens, counted) };
  });
}

function dialectOf(url: string): WireDialect | undefined {
  if (url.endsWith("/messages")) return "anthropic";
  if (url.endsWith("/chat/completions")) return "chat";
  if (url.endsWith("/responses")) return "responses";
  return /:(?:streamG|g)enerateContent/.test(url) ? "gemini" : undefined;
}

function modelOf(url: string, body: Buffer): string {
  const inPath = /\/models\/([^:/]+):/.exec(url)?.[1];
  return inPath ?? /"model":"([^"]+)"/.exec(body.toString("latin1"))?.[1] ?? "unknown";
}

function flush(): void {
  if (batch.length === 0) return;
  tell({ type: "served", batch });
  batch = [];
}

function tell(message: ProviderMessage): void {
  process.send?.(message);
}
