import { afterEach, describe, expect, test } from "vitest";
import { anthropicRequest, chatRequest } from "../client-requests.testing.ts";
import { exchange, openExchange } from "../raw-exchange.testing.ts";
import { type Fault, fault } from "./fault.ts";
import { fail, type Reply, say } from "./reply.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";

const ANSWER = say("Ein schöner Tag für lange Sätze.", { delivery: { deltas: 4 } });

let model: ScriptedModel | undefined;

afterEach(() => model?.close());

async function serve(reply: Reply): Promise<string> {
  model = await startScriptedModel({ script: () => reply });
  return `${model.url}/v1/messages`;
}

function streamed(answerFault: Fault, reply: Reply = ANSWER) {
  return serve({ ...reply, fault: answerFault }).then((url) => exchange(url, anthropicRequest({ stream: true })));
}

function eventNames(text: string): string[] {
  return [...text.matchAll(/^event: (.+)\n/gm)].flatMap(([, name]) => name ?? []);
}

describe("statuses", () => {
  test("429 says when to come back, in seconds or as a date", async () => {
    const inSeconds = await streamed(fault.status(429, { retryAfter: 1 }));
    expect([inSeconds.status, inSeconds.headers["retry-after"]]).toEqual([429, "1"]);
    const date = new Date(Date.UTC(2030, 0, 2, 3, 4, 5));
    await model?.close();
    const asDate = await streamed(fault.status(429, { retryAfter: date }));
    expect(asDate.headers["retry-after"]).toBe("Wed, 02 Jan 2030 03:04:05 GMT");
  });

  test("429 may also say nothing about it", async () => {
    const response = await streamed(fault.status(429));
    expect(response.headers["retry-after"]).toBeUndefined();
  });

  test.each([400, 401, 403, 404, 500, 503, 529])("%i has the dialect's body", async (status) => {
    const response = await streamed(fault.status(status));
    expect(response.status).toBe(status);
    expect(JSON.parse(response.text)).toMatchObject({ type: "error", error: { type: expect.any(String) } });
  });

  test("body and headers can be anything", async () => {
    const response = await streamed(
      fault.status(502, { body: "<h1>Bad gateway</h1>", headers: { "content-type": "text/html" } }),
    );
    expect(response.text).toBe("<h1>Bad gateway</h1>");
    expect(response.headers["content-type"]).toBe("text/html");
  });

  test("a provider can quote the key it was sent", async () => {
    const response = await streamed(fault.echoKey());
    expect(response.status).toBe(401);
    expect(response.text).toContain("The API key test-key is not valid.");
  });
});

describe("silence", () => {
  test("never answering keeps the connection and sends no byte", async () => {
    const url = await serve(fail(fault.neverAnswer()));
    const pending = openExchange(url, anthropicRequest({ stream: true }));
    const request = await model?.nextRequest();
    expect(request?.aborted).toBe(false);
    await model?.close();
    await expect(pending).rejects.toThrow();
  });

  test("headers come and nothing else", async () => {
    const open = await openExchange(await serve(fail(fault.headersOnly())), anthropicRequest({ stream: true }));
    expect([open.status, open.received()]).toEqual([200, ""]);
    open.abort();
    await model?.requests[0]?.whenAborted;
  });

  test("a stall after three events sends exactly those", async () => {
    const url = await serve({ ...ANSWER, fault: fault.stallAfter(3) });
    const open = await openExchange(url, anthropicRequest({ stream: true }));
    await open.waitFor("event: ping");
    expect(eventNames(open.received())).toEqual(["message_start", "content_block_start", "ping"]);
    open.abort();
    await model?.requests[0]?.whenAborted;
    expect(model?.requests[0]?.aborted).toBe(true);
  });
});

describe("connections that break", () => {
  test("between two events", async () => {
    const { text, complete } = await streamed(fault.cutAfter(4));
    expect(complete).toBe(false);
    expect(eventNames(text)).toHaveLength(4);
    expect(text.endsWith("\n\n")).toBe(true);
    expect(model?.requests[0]?.aborted).toBe(false);
  });

  test("inside an event", async () => {
    const { text, complete } = await streamed(fault.cutInsideEvent(4));
    expect(complete).toBe(false);
    expect(text.split("\n\n")).toHaveLength(5);
    expect(text.endsWith("\n\n")).toBe(false);
  });

  test("inside a character", async () => {
    const { bytes, complete } = await streamed(fault.cutInsideCharacter());
    expect(complete).toBe(false);
    expect(bytes.at(-1)).toBe(0xc3);
    expect(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toThrow();
  });

  test("a cut inside a character of plain ASCII is a mistake of the script, and it says so", async () => {
    const { status, text } = await streamed(fault.cutInsideCharacter(), say("ascii"));
    expect(status).toBe(400);
    expect(text).toContain("cutInsideCharacter needs a reply with a non-ASCII character");
  });

  test("before any header", async () => {
    await expect(streamed(fault.reset())).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("an answer in one piece breaks in its middle", async () => {
    const { text, complete } = await exchange(await serve({ ...ANSWER, fault: fault.cutAfter(3) }), anthropicRequest());
    expect(complete).toBe(false);
    expect(text.startsWith('{"id":')).toBe(true);
    expect(() => JSON.parse(text)).toThrow();
  });
});

describe("answers that end too early", () => {
  test("without the final marker, but with HTTP's own end", async () => {
    const { text, complete } = await streamed(fault.noFinalMarker());
    expect(complete).toBe(true);
    expect(eventNames(text).at(-1)).toBe("message_delta");
  });

  test("without [DONE] in the other dialect", async () => {
    await serve({ ...ANSWER, fault: fault.noFinalMarker() });
    const { text } = await exchange(`${model?.url}/v1/chat/completions`, chatRequest({ stream: true }));
    expect(text).not.toContain("[DONE]");
    expect(text).toContain('"finish_reason":"stop"');
  });

  test("after two events", async () => {
    const { text, complete } = await streamed(fault.endAfter(2));
    expect([eventNames(text).length, complete]).toEqual([2, true]);
  });

  test("with an error in the stream, or with 500 where there is no stream", async () => {
    const inStream = await streamed(fault.errorEvent(1, { message: "Boom", errorType: "api_error" }));
    expect(inStream.text).toContain(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Boom"}',
    );
    await model?.close();
    const url = await serve(fail(fault.errorEvent(1, { message: "Boom" })));
    const whole = await exchange(url, anthropicRequest());
    expect([whole.status, JSON.parse(whole.text).error.message]).toEqual([500, "Boom"]);
  });
});

describe("answers that are no answers", () => {
  test("a web page with 200", async () => {
    const { status, headers, text } = await streamed(fault.html());
    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(text).toContain("<!doctype html>");
  });

  test("bytes that are no text", async () => {
    const { bytes } = await streamed(fault.binary());
    expect(bytes).toHaveLength(512);
    expect(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toThrow();
  });

  test("the right bytes under another content type", async () => {
    const { headers, text } = await streamed(fault.contentType("application/octet-stream"));
    expect(headers["content-type"]).toBe("application/octet-stream");
    expect(eventNames(text).at(-1)).toBe("message_stop");
  });
});
