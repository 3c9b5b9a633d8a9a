// A real mail server for tests, in the ways in which they misbehave.
import { type AddressInfo, createServer, type Server } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { selfSignedCertificate } from "../../certificate.testing.ts";

export type ReceivedMail = {
  readonly to: readonly string[];
  readonly raw: string;
  readonly secure: boolean;
  readonly user: string;
};

export type TestMailServer = {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  [Symbol.asyncDispose](): Promise<void>;
};

const certificate = selfSignedCertificate();

/** From now on, this process trusts the certificate of the test's mail servers. */
export function trustTestCertificate(): void {
  setDefaultCACertificates([...getCACertificates("default"), certificate.cert]);
}

export async function startMailServer(options: SMTPServerOptions = {}): Promise<TestMailServer> {
  const mails: ReceivedMail[] = [];
  const server = new SMTPServer({
    ...certificate,
    authOptional: true,
    disableReverseLookup: true,
    closeTimeout: 100,
    onAuth: ({ username = "", password }, _session, done) =>
      done(password === "right password" ? null : new Error("Wrong password"), { user: username }),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        mails.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString("utf8"),
          secure: session.secure,
          user: String(session.user ?? ""),
        });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

/** Offers STARTTLS, agrees to it, and then speaks anything but TLS. Keeps what it was sent after that. */
export async function startBrokenTlsServer(): Promise<{
  port: number;
  heard: string[];
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const heard: string[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write("220 broken.example ESMTP\r\n");
    let agreed = false;
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      if (agreed) {
        heard.push(text);
        socket.write("this is no TLS\r\n");
      } else if (/^EHLO/i.test(text)) socket.write("250-broken.example\r\n250 STARTTLS\r\n");
      else if (/^STARTTLS/i.test(text)) {
        agreed = true;
        socket.write("220 go on\r\n");
      } else socket.write("250 fine\r\n");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
