import { expect, test } from "vitest";
import { startListeningProvider } from "./listening-provider.testing.ts";
import { PROVIDER_KEYS, startLoomServer } from "./loom-server.testing.ts";
import { googleClient } from "./sdk/google-genai.testing.ts";

/** Takes files as Google does: the first answer says where the bytes are to go, by an address of its own or of `elsewhere`. */
async function startFiles(elsewhere?: string) {
  const seen: string[] = [];
  const provider = await startListeningProvider(({ url: path = "", headers }, body, outgoing) => {
    seen.push(`${path} ${headers["x-goog-api-key"]} ${body}`);
    if (headers["x-goog-upload-command"] === "start") {
      const own = `http://${headers.host}`;
      outgoing.setHeader("x-goog-upload-url", `${elsewhere ?? own}/upload/v1beta/files?upload_id=u-1&x=%2F`);
      outgoing.end("{}");
      return;
    }
    outgoing.setHeader("x-goog-upload-status", "final");
    outgoing.setHeader("content-type", "application/json");
    outgoing.end('{"file":{"name":"files/f-1","mimeType":"text/plain"}}');
  });
  return { ...provider, seen };
}

test("a file goes to Gemini through Loom, all the way", async () => {
  using files = await startFiles();
  await using server = await startLoomServer(files.url);
  const { files: client } = googleClient({ baseUrl: `${server.url}/proxy/gemini`, token: server.token });
  const file = new Blob(["Hällo"], { type: "text/plain" });
  expect(await client.upload({ file, config: { mimeType: "text/plain" } })).toMatchObject({ name: "files/f-1" });
  expect(files.seen).toEqual([
    expect.stringMatching(/^\/upload\/v1\/files /),
    `/upload/v1beta/files?upload_id=u-1&x=%2F ${PROVIDER_KEYS.gemini} Hällo`,
  ]);
  const stranger = googleClient({ baseUrl: `${server.url}/proxy/gemini`, token: "lt_nobody" }).files;
  await expect(stranger.upload({ file, config: { mimeType: "text/plain" } })).rejects.toThrow(/401/);
  expect(files.seen).toHaveLength(2);
});

test("an address of somebody else is not made Loom's", async () => {
  using files = await startFiles("https://files.example");
  await using server = await startLoomServer(files.url);
  const answer = await fetch(`${server.url}/proxy/gemini/upload/v1beta/files`, {
    method: "POST",
    headers: { "x-goog-api-key": server.token, "x-goog-upload-command": "start" },
  });
  expect(answer.headers.get("x-goog-upload-url")).toBe("https://files.example/upload/v1beta/files?upload_id=u-1&x=%2F");
});
