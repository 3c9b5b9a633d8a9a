import { type ClientRequest, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { guardedLookup, type ReachableAddress } from "../../../kit/outgoing-address.ts";
import { sinkForm } from "./sink-form.ts";
import type { SinkTarget } from "./sink-queue.ts";
import { webhookHeaders } from "./webhook-signature.ts";

export type WebhookOptions = {
  readonly url: URL;
  readonly secrets: readonly Uint8Array[];
  /** Asked for every address that the name leads to, at each delivery. */
  readonly mayReach: ReachableAddress;
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** PEM, in place of the authorities that Node trusts. */
  readonly ca?: string | undefined;
};

const TOTAL_MS = 5_000;
/** With the pauses between them, some minutes. */
const TRIES = 8;

/** Standard Webhooks: one POST for each event, with its id, so that a receiver knows one that comes twice. */
export function webhookTarget({ url, secrets, mayReach, version, now, ca }: WebhookOptions): SinkTarget {
  const lookup = guardedLookup(mayReach);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return {
    name: "webhook",
    batch: 1,
    tries: TRIES,
    deliver: ([entry], signal) =>
      new Promise((resolve, reject) => {
        if (entry === undefined) return resolve();
        const { event, at } = entry;
        const body = JSON.stringify({ type: event, timestamp: new Date(at).toISOString(), data: sinkForm(entry) });
        const headers = {
          ...webhookHeaders({ id: entry.id, at: Math.floor(now() / 1000), body }, secrets),
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": `loom-server/${version}`,
        };
        const fail = (error: Error): void => {
          clearTimeout(timer);
          outgoing.destroy();
          reject(error);
        };
        // A name is looked up by `lookup`; an address in its place is not.
        const literal = url.hostname.replace(/^\[|\]$/g, "");
        const outgoing: ClientRequest = send(
          url,
          { method: "POST", headers, lookup, signal, agent: false, ...(ca === undefined ? {} : { ca }) },
          (response) => {
            const { statusCode = 0 } = response;
            response.resume();
            clearTimeout(timer);
            outgoing.destroy();
            // A redirect is a refusal: it could lead anywhere.
            if (statusCode >= 200 && statusCode < 300) resolve();
            else reject(new Error(`the webhook answered with ${statusCode}`));
          },
        );
        const timer = setTimeout(() => fail(new Error("the webhook does not answer")), TOTAL_MS);
        outgoing.on("error", fail);
        if (!mayReach.literal(literal)) fail(new Error(`the address ${literal} is not allowed`));
        else outgoing.end(body);
      }),
    async close() {},
  };
}
