export {
  credentialsFile,
  readServerToken,
  removeServerToken,
  type StoredToken,
  storeServerToken,
} from "./credentials.ts";
export { eraseVariable } from "./erase-variable.ts";
export { ConfigError } from "./errors.ts";
export type { ConfigLocations, FlagValue, LoomConfig, Source } from "./layers.ts";
export { loadConfig } from "./layers.ts";
export { createRedactor, redact, secretForms } from "./redact.ts";
export type { Setting, SettingKey, SettingValue } from "./schema.ts";
export { SETTINGS, variablesOf } from "./schema.ts";
export type { Environment } from "./secret.ts";
export { readSecret, readSecretFile, Secret } from "./secret.ts";
export { takeSecret } from "./take-secret.ts";
export type { LoomDirectories } from "./xdg.ts";
export { loomDirectories } from "./xdg.ts";
