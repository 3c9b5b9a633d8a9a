/** A setting is wrong. The message is one sentence for a person: which setting, where it stands, what to do. */
export class ConfigError extends Error {
  readonly code = "configuration";
  override readonly name = "ConfigError";
  /** The flag that carried the wrong value, where it was one: then it is the command line that has to change. */
  readonly flag: string | undefined;

  constructor(message: string, options: ErrorOptions & { readonly flag?: string } = {}) {
    super(message, options);
    this.flag = options.flag;
  }
}
