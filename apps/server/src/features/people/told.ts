import type { ProblemCode } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import { PeopleError } from "./people-error.ts";

const CODES: Readonly<Record<PeopleError["reason"], ProblemCode>> = {
  wrong: "invalid_input",
  unknown: "not_found",
  conflict: "conflict",
  refused: "forbidden",
  version: "version_mismatch",
  unversioned: "precondition_required",
  gone: "gone",
};

/** Mistakes of the asker become problem documents. */
export async function told<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof PeopleError)) throw error;
    const errors = error.field === undefined ? {} : { errors: [{ field: error.field, message: error.message }] };
    throw new ProblemError(CODES[error.reason], error.message, errors);
  }
}

/** Who a route for persons is asked by; @throws ProblemError for tokens that are nobody's. */
export function personOf(userId: string | undefined): string {
  if (userId !== undefined) return userId;
  throw new ProblemError("forbidden", "This is for people: sign in, this token is nobody's.");
}
