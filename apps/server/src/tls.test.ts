import { writeFile } from "node:fs/promises";
import { runProcess } from "@loom/testkit";
import { expect, test } from "vitest";
import { selfSignedCertificate } from "./certificate.testing.ts";
import { environment, runServer, startServerProcess } from "./process.testing.ts";
import { temporaryDirectory } from "./testing.ts";

/** Lists the models of the server that the arguments name, in a process of its own: what Node trusts is per process. */
const CLIENT = `
  import { createLoomClient } from ${JSON.stringify(import.meta.resolve("@loom/api/client"))};
  const [baseUrl, token] = process.argv.slice(1);
  const client = createLoomClient({ baseUrl, token: () => token });
  client.models().then((models) => console.log(JSON.stringify(models)), (error) => console.log(error.message));`;

test("a server with a certificate speaks TLS, to clients that trust it", async () => {
  await using home = await temporaryDirectory();
  const { cert, key } = selfSignedCertificate();
  await writeFile(`${home.path}/cert.pem`, cert);
  await writeFile(`${home.path}/key.pem`, key, { mode: 0o600 });
  const args = ["--tls-cert", `${home.path}/cert.pem`, "--tls-key", `${home.path}/key.pem`];
  const server = await startServerProcess(`${home.path}/data`, { env: environment(home.path), args });
  expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  const ask = async (more: Record<string, string>) => {
    const clientArgs = ["--input-type=module", "-e", CLIENT, server.url, server.token];
    return (await runProcess(process.execPath, clientArgs, { env: environment(home.path, more) })).stdout;
  };
  expect(JSON.parse(await ask({ NODE_EXTRA_CA_CERTS: `${home.path}/cert.pem` }))).toHaveProperty("providers");
  expect(await ask({})).toMatch(
    /^The Loom server at https:\S+ has a certificate that this machine does not trust \(DEPTH_ZERO_SELF_SIGNED_CERT; NODE_EXTRA_CA_CERTS/,
  );
  server.process.signal("SIGTERM");
  expect((await server.process.exited).code).toBe(0);
});

test("a certificate that does not belong to its key is refused at the start", async () => {
  await using home = await temporaryDirectory();
  await writeFile(`${home.path}/cert.pem`, selfSignedCertificate().cert);
  await writeFile(`${home.path}/key.pem`, selfSignedCertificate().key);
  const args = ["--listen", "127.0.0.1:0", "--tls-cert", `${home.path}/cert.pem`, "--tls-key", `${home.path}/key.pem`];
  const { code, stderr } = await runServer(args, environment(home.path));
  expect(code).toBe(1);
  expect(stderr).toContain("both have to be PEM and belong together.\n");
});
