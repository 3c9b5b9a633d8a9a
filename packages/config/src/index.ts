export { ConfigError } from "./errors.ts";
export { createRedactor, redact } from "./redact.ts";
export type { Environment } from "./secret.ts";
export { readSecret, readSecretFile, Secret } from "./secret.ts";
export type { LoomDirectories } from "./xdg.ts";
export { loomDirectories } from "./xdg.ts";
