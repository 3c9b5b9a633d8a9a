import { createServer } from "node:net";
import { Secret } from "@loom/config";
import { expect, test } from "vitest";
import { refreshAccessToken } from "./oauth-client.ts";

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
    const content = {
      type: "oauth",
      refreshToken: new Secret("refresh-of-the-tests"),
      accessToken: undefined,
      expiresAtMs: undefined,
      tokenEndpoint: `https://${host}:${port}/token`,
      clientId: "client",
      clientSecret: undefined,
    } as const;
    await expect(refreshAccessToken(content, { now: Date.now })).rejects.toThrow(
      /^The token endpoint .* is not public: /,
    );
  }
  expect(connections).toBe(0);
  await new Promise((resolve) => server.close(resolve));
});
