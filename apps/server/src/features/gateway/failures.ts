import type { LlmFailure } from "@loom/core";
import type { Upstream } from "./upstream.ts";

/** Failures that are found here and not at a provider. */

export const UNREADABLE: LlmFailure = {
  code: "invalid_response",
  message: "The provider's answer is compressed in a way that this server does not know.",
  retryable: false,
};

export const WEB_PAGE: LlmFailure = {
  code: "invalid_response",
  message: "The provider answered with a web page: something else stands at its address, or in front of it.",
  retryable: true,
};

export const NO_ANSWER: LlmFailure = {
  code: "invalid_response",
  message: "The provider answered with something that is no answer of a model: check its address on the server.",
  retryable: true,
};

export const UNWRITABLE = "The server cannot write down what is used: check its disk and its database.";

export function noSocket(code: string): string {
  return `The Loom server cannot open another connection (${code}): try again in a moment, or raise its limits.`;
}

/** The answer stopped before its end. */
export const CUT_OFF: LlmFailure = {
  code: "network",
  message: "The provider ended its answer too early: try again.",
  retryable: true,
};

export const SHUTTING_DOWN: LlmFailure = {
  code: "overloaded",
  message: "The Loom server is shutting down: try again in a moment.",
  retryable: true,
};

export function notSetUp(name: string): LlmFailure {
  const message = `The provider ${JSON.stringify(name.slice(0, 40))} is not set up on this server.`;
  return { code: "not_configured", message, retryable: false };
}

/** The credential could not be made ready; its own words say why, and whether a moment later it may work. */
export function noHeaders(name: string, error: unknown, redact: (text: string) => string): LlmFailure {
  const reason = redact(error instanceof Error ? error.message : String(error));
  const retryable = error instanceof Error && "retryable" in error && error.retryable === true;
  return { code: retryable ? "network" : "unauthorized", message: `No access to ${name}: ${reason}`, retryable };
}

/** Which of this machine's files such an error is about: clients are not told. */
export function filesOf(error: unknown): readonly string[] {
  const files = error instanceof Error && "files" in error ? error.files : undefined;
  return Array.isArray(files) ? files.filter((file) => typeof file === "string") : [];
}

export function noDefaultModel({ name, config, origin }: Upstream): LlmFailure {
  const infix =
    config.kind === "compatible" ? `COMPATIBLE_${name.toUpperCase().replaceAll("-", "_")}` : name.toUpperCase();
  const message = `The server at ${origin} does not say which models it has: set LOOM_SERVER_${infix}_MODEL, or name the model in the request.`;
  return { code: "unknown_model", message, retryable: false };
}
