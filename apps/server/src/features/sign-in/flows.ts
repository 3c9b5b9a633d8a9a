import { createHmac, hash, randomBytes } from "node:crypto";
import type { Clock } from "../../kit/clock.ts";
import type { FlowStore } from "./flow-store.ts";
import type { FlowSecrets } from "./provider.ts";

export const FLOW_MS = 600_000;

const SECRET_SHAPE = /^[A-Za-z0-9_-]{43}$/;

export type Flows = {
  /** `browser`: the secret that the browser has from an earlier one, if any. */
  begin(flow: {
    readonly provider: string;
    readonly redirectTo: string;
    readonly browser: string | undefined;
  }): Promise<{ readonly browser: string; readonly secrets: FlowSecrets }>;
  /** Once, and within ten minutes; `undefined` for a browser or a provider that it was not begun for. */
  finish(answer: {
    readonly provider: string;
    readonly state: string;
    readonly browser: string;
  }): Promise<{ readonly redirectTo: string; readonly secrets: FlowSecrets } | undefined>;
  removeExpired(): Promise<void>;
};

/**
 * Ways to a provider and back, bound to the browser that set out. The browser holds a secret in a cookie; nonce and code
 * verifier are made of that and the state, so that whoever reads the database has nothing to answer with.
 */
export function createFlows(store: FlowStore, { wall }: Clock): Flows {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    async begin({ provider, redirectTo, browser: wish }) {
      const browser = wish !== undefined && SECRET_SHAPE.test(wish) ? wish : secret();
      const state = secret();
      const expiresAt = iso(wall() + FLOW_MS);
      await store.add({ stateHash: digest(state), browserHash: digest(browser), provider, redirectTo, expiresAt });
      return { browser, secrets: secretsOf(browser, state) };
    },
    async finish({ provider, state, browser }) {
      if (!SECRET_SHAPE.test(state) || !SECRET_SHAPE.test(browser)) return undefined;
      const flow = await store.take({ stateHash: digest(state), browserHash: digest(browser), provider });
      if (flow === undefined || flow.expiresAt <= iso(wall())) return undefined;
      return { redirectTo: flow.redirectTo, secrets: secretsOf(browser, state) };
    },
    removeExpired: () => store.removeExpired(iso(wall())),
  };
}

function secret(): string {
  return randomBytes(32).toString("base64url");
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

function secretsOf(browser: string, state: string): FlowSecrets {
  const made = (use: string): string => createHmac("sha256", browser).update(`${use} ${state}`).digest("base64url");
  return { state, nonce: made("nonce"), verifier: made("verifier") };
}
