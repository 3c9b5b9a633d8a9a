import { expect, test } from "vitest";
import { connectionError } from "./exchange-error.ts";

const TRUST = "has a certificate that this machine does not trust";
const TLS = "does not agree with this machine on TLS";

test.each([
  ["DEPTH_ZERO_SELF_SIGNED_CERT", TRUST],
  ["CERT_HAS_EXPIRED", TRUST],
  ["ERR_TLS_CERT_ALTNAME_INVALID", TRUST],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", TRUST],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", TLS],
  ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", TLS],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", TLS],
])("%s: the other side %s", (code, clause) => {
  const { message } = connectionError(Object.assign(new Error("of Node"), { code }));
  expect(message).toContain(clause);
  expect(message).toContain(code);
});
