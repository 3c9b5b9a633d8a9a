/**
 * Node's HTTP modules, without what their `import` drags along: an ES import reads every export of a built-in, and
 * three of `node:http` are getters that load undici, which costs as much as starting Node itself. This does not.
 */
export const http = process.getBuiltinModule("node:http");

/** `node:https` with TLS behind it, loaded when the first https address turns up. */
export function https(): typeof import("node:https") {
  return process.getBuiltinModule("node:https");
}
