/** A setting is wrong. The message is one sentence for a person: which setting, where it stands, what to do. */
export class ConfigError extends Error {
  readonly code = "configuration";
  override readonly name = "ConfigError";
}
