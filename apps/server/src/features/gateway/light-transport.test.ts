import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createLightTransport } from "./light-transport.ts";
import type { UpstreamControl } from "./transport.ts";

type Seen = { readonly chunks: Buffer[]; readonly control: () => UpstreamControl; readonly over: Promise<string> };

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Asks a server that answers as told; `onChunk` hears of what is handed on. */
async function ask(answer: (response: ServerResponse) => void, onChunk = () => {}): Promise<Seen> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const transport = createLightTransport({ connectMs: 5_000 });
  closers.push(() => {
    transport.close();
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const chunks: Buffer[] = [];
  const over = Promise.withResolvers<string>();
  let running: UpstreamControl | undefined;
  const request = { path: "/", method: "GET", headers: [], body: null };
  transport.dispatch(origin, request, {
    onRequestStart(control) {
      running = control;
    },
    onResponseStart() {},
    onResponseData(_control, chunk) {
      chunks.push(chunk);
      onChunk();
    },
    onResponseEnd: () => over.resolve("end"),
    onResponseError: (_control, error) => over.resolve(error.message),
  });
  const control = () => {
    if (running === undefined) throw new Error("It has not begun.");
    return running;
  };
  return { chunks, control, over: over.promise };
}

const text = ({ chunks }: Seen) => Buffer.concat(chunks).toString();

/** So many writes, each its own chunk on the wire. */
function write(response: ServerResponse, count: number): string {
  const pieces = Array.from({ length: count }, (_, index) => `${index} `);
  for (const piece of pieces) response.write(piece);
  return pieces.join("");
}

test("what comes quickly is put together, in order, and nothing is missing at the end", async () => {
  let sent = "";
  const seen = await ask((response) => {
    sent = write(response, 2_000);
    response.end();
  });
  expect(await seen.over).toBe("end");
  expect(text(seen)).toBe(sent);
  expect(seen.chunks.length).toBeLessThan(200);
});

test("the first bytes are handed on at once, and those that follow are when nothing else comes", async () => {
  const arrived: (() => void)[] = [];
  const chunk = () => new Promise<void>((resolve) => arrived.push(resolve));
  let outgoing: ServerResponse | undefined;
  const [first, second] = [chunk(), chunk()];
  const seen = await ask(
    (response) => {
      outgoing = response;
      response.write("a");
    },
    () => arrived.shift()?.(),
  );
  await first;
  outgoing?.write("b");
  await second;
  outgoing?.end();
  await seen.over;
  expect(text(seen)).toBe("ab");
});

test("what came before the connection broke is handed on before that is told", async () => {
  let sent = "";
  const seen = await ask((response) => {
    sent = write(response, 50);
    response.write("", () => setImmediate(() => response.destroy()));
  });
  expect(await seen.over).not.toBe("end");
  expect(text(seen)).toBe(sent);
});

test("while it is paused nothing is handed on, and afterwards everything", async () => {
  let sent = "";
  const paused = Promise.withResolvers<void>();
  const seen: Seen = await ask(
    (response) => {
      sent = write(response, 500);
      response.end();
    },
    () => {
      if (seen.chunks.length > 1) return;
      seen.control().pause();
      setTimeout(paused.resolve, 30);
    },
  );
  await paused.promise;
  expect(seen.chunks).toHaveLength(1);
  seen.control().resume();
  expect(await seen.over).toBe("end");
  expect(text(seen)).toBe(sent);
});

test("after an abort nothing is handed on", async () => {
  const seen: Seen = await ask(
    (response) => {
      write(response, 500);
      response.end();
    },
    () => seen.control().abort(new Error("Enough.")),
  );
  expect(await seen.over).toBe("Enough.");
  expect(seen.chunks).toHaveLength(1);
});
