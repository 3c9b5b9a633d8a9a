import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { OpenedRequest } from "../../gateway-types.ts";
import type { ProcessMark } from "../../kit/process-mark.ts";

/** A request of a process that has died. */
export type TracedRequest = {
  readonly opened: OpenedRequest;
  /** What the budgets were charged for it; absent: it still ran, or its end was not written down. */
  costMicroUsd?: number;
  /** The number under which the budgets were to tell their store of it; absent: it came to no such thing. */
  toldWith?: number;
};

export type Trace = {
  /** `undefined` where the file is torn in its first line: it holds nothing then. */
  readonly owner: ProcessMark | undefined;
  readonly requests: ReadonlyMap<string, TracedRequest>;
};

/** Without their ends they are torn: the first digits of a number are another number. */
const CLOSED = /^-(\S+) (\d+);$/;
const TOLD = /^=(\d+);$/;

/** The files of one process, oldest first. What is no line of such a file is passed over: a kill may tear the last one. */
export async function readTrace(paths: readonly string[]): Promise<Trace> {
  const requests = new Map<string, TracedRequest>();
  let owner: ProcessMark | undefined;
  let ended: TracedRequest[] = [];
  for (const path of paths) {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const closed = CLOSED.exec(line);
      const told = TOLD.exec(line);
      if (closed !== null) {
        const [, id = "", cost] = closed;
        const request = requests.get(id);
        if (request === undefined) continue;
        request.costMicroUsd = Number(cost);
        ended.push(request);
      } else if (told !== null) {
        for (const request of ended) request.toldWith = Number(told[1]);
        ended = [];
      } else {
        const value = parsed(line);
        if (isOpened(value)) {
          const known = requests.get(value.id);
          // Carried over into this file, or tried anew at another provider.
          if (known?.costMicroUsd === undefined) requests.set(value.id, { opened: value });
        } else if (isHead(value)) owner = value.owner;
      }
    }
  }
  return { owner, requests };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Our own lines are whole or torn. */
function isOpened(value: unknown): value is OpenedRequest {
  return typeof value === "object" && value !== null && "id" in value && "worst" in value && "nodes" in value;
}

function isHead(value: unknown): value is { readonly owner: ProcessMark } {
  return typeof value === "object" && value !== null && "owner" in value;
}
