import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { readWebhookSecrets, webhookHeaders } from "./webhook-signature.ts";

const OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

describe("a signature of Standard Webhooks", () => {
  it("is that of the published vector", () => {
    const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: 1_614_265_330, body: '{"test": 2432232314}' };
    expect(webhookHeaders(message, readWebhookSecrets(OLD, "it"))).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  it("is believed by receivers with the old and with the new secret while one takes the place of the other", () => {
    const message = { id: "audit-1", at: Math.floor(Date.now() / 1000), body: '{"event":"ä"}' };
    const headers = webhookHeaders(message, readWebhookSecrets(`${NEW} ${OLD}`, "it"));
    for (const secret of [OLD, NEW]) expect(new Webhook(secret).verify(message.body, headers)).toEqual({ event: "ä" });
    expect(() => new Webhook(OLD).verify(`${message.body} `, headers)).toThrow();
  });

  it.each(["", "secret", "whsec_", "whsec_c2hvcnQ=", `${OLD} ${NEW} ${OLD}`, `${OLD} x`])(
    "is not made with %j",
    (text) => {
      expect(() => readWebhookSecrets(text, "LOOM_SERVER_AUDIT_WEBHOOK_SECRET")).toThrow(/one or two secrets/);
    },
  );
});
