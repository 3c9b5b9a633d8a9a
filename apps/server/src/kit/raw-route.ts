import type { Contract } from "@loom/api";
import type { RawCall } from "./call.ts";
import type { Action, Resource } from "./policy.ts";
import type { ProblemError } from "./problem-reply.ts";
import type { Subject } from "./subject.ts";

/**
 * A part of the address space whose paths, headers and errors are a provider's and not ours. Its requests pass the same
 * checks as all others, and are then answered on the request and the response themselves.
 */
export type RawRoute = {
  /** e.g. `/proxy/`: all paths that begin so. */
  readonly prefix: string;
  /** What is below it of our own API, for its description. */
  readonly contracts: readonly Contract[];
  /** Whether a POST to this path, which may have a query, has a body that is read as a whole before anything else happens. */
  readsWhole(url: string): boolean;
  /** Reads what the path and the headers say, and nothing else. */
  open(call: RawCall): RawRequest;
};

/** A request that has not been let in yet. */
export type RawRequest = {
  /** For the log and the metrics; one of a bounded set. */
  readonly label: string;
  /** Where such clients send their tokens; absent: none, or several that differ. */
  readonly token: string | undefined;
  readonly action: Action;
  readonly resource: Resource;
  /** What whoever may not do it reads, in place of a mere no: a sentence that says who may. */
  readonly isFor?: string | undefined;
  /** Takes over the response. What it throws is refused like any other problem. */
  answer(subject: Subject): void;
  /** Says what is wrong as this kind of client understands it. Nothing has been sent yet. */
  refuse(problem: ProblemError): void;
};
