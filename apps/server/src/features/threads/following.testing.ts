// Who follows a thread, as the tests see it.
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";

export type Following = {
  readonly response: IncomingMessage;
  /** All that came up to now, piece by piece. */
  readonly pieces: readonly string[];
  /** The records up to now: version and data. */
  readonly events: readonly (readonly [string, string])[];
  /** Resolves when there are `count` events. */
  until(count: number): Promise<void>;
  /** Resolves when there were so many more pieces than now. */
  pass(count: number): Promise<void>;
  readonly closed: Promise<unknown>;
  close(): void;
};

const open: ClientRequest[] = [];

/** Ends what still follows. */
export function hangUp(): void {
  for (const each of open.splice(0)) each.destroy();
}

/** `token`: "" for none. */
export async function listenTo(
  url: string,
  token: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Following> {
  const outgoing = request(url + path, {
    agent: false,
    headers: { ...(token === "" ? {} : { authorization: `Bearer ${token}` }), ...headers },
  }).end();
  open.push(outgoing);
  outgoing.on("error", () => {});
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const pieces: string[] = [];
  const events: [string, string][] = [];
  const waiting: { readonly of: readonly unknown[]; readonly count: number; readonly resolve: () => void }[] = [];
  let rest = "";
  response.on("error", () => {});
  response.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      pieces.push(part);
      const [, id, data] = /^id: \d+\.(\d+)\ndata: (.*)$/.exec(part) ?? [];
      if (id !== undefined && data !== undefined) events.push([id, data]);
    }
    for (const { of, count, resolve } of waiting) if (of.length >= count) resolve();
  });
  const reached = (of: readonly unknown[], count: number): Promise<void> =>
    new Promise((resolve) => {
      if (of.length >= count) resolve();
      else waiting.push({ of, count, resolve });
    });
  return {
    response,
    pieces,
    events,
    until: (count) => reached(events, count),
    pass: (count) => reached(pieces, pieces.length + count),
    closed: new Promise((resolve) => response.once("close", resolve)),
    close: () => outgoing.destroy(),
  };
}
