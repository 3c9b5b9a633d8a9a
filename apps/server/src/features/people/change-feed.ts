/** What has changed since `revision`, by whatever server; `ids` is undefined where it is too much to list. */
export type Changes = { readonly revision: number; readonly ids: readonly string[] | undefined };

/** Tells who remembers something about people when it is so no longer. */
export class ChangeFeed {
  readonly #since: (revision: number) => Promise<Changes>;
  readonly #listeners = new Set<(userId: string) => void>();
  #revision = 0;

  constructor(since: (revision: number) => Promise<Changes>) {
    this.#since = since;
  }

  onChange(listener: (userId: string) => void): void {
    this.#listeners.add(listener);
  }

  async follow(): Promise<void> {
    const { revision, ids } = await this.#since(this.#revision);
    this.#revision = Math.max(this.#revision, revision);
    for (const id of ids ?? [""]) this.#tell(id);
  }

  /** After a change of this server: it holds here before its answer is out, also where the database is gone by then. */
  async changed(): Promise<void> {
    await this.follow().catch(() => this.#tell(""));
  }

  #tell(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }
}
