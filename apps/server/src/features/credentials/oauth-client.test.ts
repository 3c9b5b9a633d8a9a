import { createServer } from "node:net";
import { Secret } from "@loom/config";
import { expect, onTestFinished, test } from "vitest";
import { startUpstream } from "../gateway/upstream.testing.ts";
import { refreshAccessToken } from "./oauth-client.ts";

const accountAt = (tokenEndpoint: string) =>
  ({
    type: "oauth",
    refreshToken: new Secret("refresh-of-the-tests"),
    accessToken: undefined,
    expiresAtMs: undefined,
    tokenEndpoint,
    clientId: "client",
    clientSecret: undefined,
  }) as const;

test.each([
  ["60", 60],
  [true, 3_600],
])("an access token for %j is good for %d s", async (expires_in, seconds) => {
  const endpoint = await startUpstream((response) => {
    response.end(JSON.stringify({ access_token: "access-of-the-tests", expires_in }));
  });
  onTestFinished(() => endpoint.close());
  const { expiresAtMs } = await refreshAccessToken(accountAt(`${endpoint.url}/token`), { now: () => 1_000_000 });
  expect(expiresAtMs).toBe(1_000_000 + seconds * 1000);
});

test("a refresh token is not sent where only this network leads to, whatever the name is", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  for (const host of ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"]) {
    const content = accountAt(`https://${host}:${port}/token`);
    await expect(refreshAccessToken(content, { now: Date.now })).rejects.toThrow(
      /^The token endpoint .* is not public: /,
    );
  }
  expect(connections).toBe(0);
  await new Promise((resolve) => server.close(resolve));
});
