// A self-signed certificate for 127.0.0.1, made on the spot: neither a key in the repository nor openssl on the machine.
import { generateKeyPairSync, sign } from "node:crypto";

const TAG = { integer: 2, bitString: 3, octetString: 4, oid: 6, utf8: 12, time: 23, sequence: 48, set: 49 } as const;

/** DER (X.690): tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length =
    content.length < 128
      ? Buffer.of(content.length)
      : content.length < 256
        ? Buffer.of(0x81, content.length)
        : Buffer.of(0x82, content.length >> 8, content.length & 255);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts);
const oid = (...bytes: number[]): Buffer => der(TAG.oid, Buffer.from(bytes));
const time = (text: string): Buffer => der(TAG.time, Buffer.from(text));

/** RFC 5280. Valid from 2020 to 2049, signed with ECDSA over P-256. */
export function selfSignedCertificate(): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));
  const commonName = sequence(oid(0x55, 4, 3), der(TAG.utf8, Buffer.from("Loom test")));
  const name = sequence(der(TAG.set, commonName));
  const isAuthority = sequence(oid(0x55, 0x1d, 0x13), der(TAG.octetString, sequence(der(1, Buffer.of(0xff)))));
  const addresses = sequence(oid(0x55, 0x1d, 0x11), der(TAG.octetString, sequence(der(0x87, Buffer.of(127, 0, 0, 1)))));
  const toBeSigned = sequence(
    der(0xa0, der(TAG.integer, Buffer.of(2))),
    der(TAG.integer, Buffer.of(1)),
    ecdsaWithSha256,
    name,
    sequence(time("200101000000Z"), time("491231235959Z")),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(isAuthority, addresses)),
  );
  const signature = der(TAG.bitString, Buffer.of(0), sign("sha256", toBeSigned, privateKey));
  const base64 = sequence(toBeSigned, ecdsaWithSha256, signature).toString("base64");
  const lines = base64.match(/.{1,64}/g)?.join("\n") ?? "";
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
