import { fork } from "node:child_process";
import { join } from "node:path";
import type { ProviderMessage, Served } from "./provider-messages.ts";

export type ProviderState = Extract<ProviderMessage, { type: "state" }>;

export type ProviderProcess = {
  readonly port: number;
  /** Everything that it has told so far, by the id of the request. */
  readonly served: ReadonlyMap<number, readonly Served[]>;
  state(): Promise<ProviderState>;
  stop(): void;
};

/** Starts the scripted provider. */
export async function startProvider(): Promise<ProviderProcess> {
  const child = fork(join(import.meta.dirname, "provider.ts"), { stdio: "inherit" });
  const served = new Map<number, Served[]>();
  const waiting: ((state: ProviderState) => void)[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The scripted provider ended (${code}).`)));
    child.on("message", (message: ProviderMessage) => {
      switch (message.type) {
        case "listening":
          resolve(message.port);
          break;
        case "served":
          for (const each of message.batch) served.set(each.id, [...(served.get(each.id) ?? []), each]);
          break;
        case "state":
          waiting.shift()?.(message);
      }
    });
  });
  return {
    port,
    served,
    state: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        child.send({ type: "state?" });
      }),
    stop: () => child.disconnect(),
  };
}
