import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { anthropicRequest, chatRequest, responsesRequest } from "./client-requests.testing.ts";
import { runProcess, startProcess } from "./environment/run-process.ts";
import { exchange } from "./raw-exchange.testing.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

async function withModel(args: readonly string[], use: (url: string) => Promise<void>): Promise<void> {
  const running = await startProcess(process.execPath, [MAIN, ...args]);
  try {
    const [, url = ""] = await running.waitForOutput(/^(http:\/\/127\.0\.0\.1:\d+)\n/);
    await use(url);
    running.signal("SIGTERM");
    expect(await running.exited).toMatchObject({ code: 0, stderr: "" });
  } finally {
    running.kill();
  }
}

test("it serves a long answer until it is told to stop", async () => {
  await withModel(["--script", "long=300"], async (url) => {
    const { text } = await exchange(`${url}/v1/messages`, anthropicRequest({ stream: true }));
    expect(text.match(/"text":"lorem ipsum "/g)).toHaveLength(300);
  });
});

test("it echoes", async () => {
  await withModel(["--script=echo"], async (url) => {
    const { text } = await exchange(`${url}/v1/responses`, responsesRequest());
    expect(JSON.parse(text).output[0].content[0].text).toBe("Hello");
  });
});

test("tool turns use the tool a client offers, then end", async () => {
  await withModel(["--script", "tool-turns=2"], async (url) => {
    const tools = [
      {
        type: "function",
        function: { name: "bash", parameters: { type: "object", properties: { command: { type: "string" } } } },
      },
    ];
    const messages: object[] = [{ role: "user", content: "Go" }];
    const ask = async () => {
      const { text } = await exchange(`${url}/v1/chat/completions`, chatRequest({ messages, tools }));
      return JSON.parse(text).choices[0].message;
    };
    for (const turn of [1, 2]) {
      const message = await ask();
      expect(message.tool_calls).toMatchObject([
        { function: { name: "bash", arguments: `{"command":"echo turn ${turn}"}` } },
      ]);
      messages.push(message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: `turn ${turn}` });
    }
    expect(await ask()).toMatchObject({ content: "Done after 2 tool turns." });
  });
});

test("tool turns can read files, and answer with text where there is no tool", async () => {
  await withModel(["--script", "tool-turns=1", "--tool", "read", "--path", "notes.txt"], async (url) => {
    const tools = [{ name: "read_file", input_schema: { type: "object", properties: { path: { type: "string" } } } }];
    const reads = await exchange(`${url}/v1/messages`, anthropicRequest({ tools }));
    expect(JSON.parse(reads.text).content).toMatchObject([
      { type: "tool_use", name: "read_file", input: { path: "notes.txt" } },
    ]);
    const title = await exchange(`${url}/v1/messages`, anthropicRequest());
    expect(JSON.parse(title.text).content).toEqual([{ type: "text", text: "A scripted answer." }]);
  });
});

test.each([
  [["--script", "juggle"], 'There is no script "juggle"'],
  [["--script", "long=many"], "--script long needs a whole number"],
  [["--port", "x"], "--port needs a whole number"],
  [["--colour"], "Unknown option '--colour'"],
])("%j is refused with one sentence and exit code 2", async (args, message) => {
  const { code, stderr } = await runProcess(process.execPath, [MAIN, ...args]);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

test("--help tells what there is", async () => {
  const { code, stdout } = await runProcess(process.execPath, [MAIN, "--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain("tool-turns=N");
});
