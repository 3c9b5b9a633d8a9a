import { createServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { expect, test } from "vitest";
import { selfSignedCertificate } from "../certificate.testing.ts";
import { Handshakes } from "./tls-handshakes.ts";

test("a handshake that takes too long ends its connection, and one that is done does not", async () => {
  const server = createServer(selfSignedCertificate(), (_incoming, outgoing) => outgoing.end("served"));
  new Handshakes(server, { limitMs: 300 });
  // As the listener does.
  server.on("clientError", (_error, socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const secure = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise((resolve) => secure.once("secureConnect", resolve));
  const silent = connect(port, "127.0.0.1").resume();
  await new Promise((resolve) => silent.once("close", resolve));
  let text = "";
  secure.on("data", (chunk) => {
    text += chunk;
  });
  secure.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  await new Promise((resolve) => secure.once("close", resolve));
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  server.close();
});
