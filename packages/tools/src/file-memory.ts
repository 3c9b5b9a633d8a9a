/** Files remembered; the one seen longest ago is forgotten first, and has to be read again. */
const MAX_FILES = 10_000;

/**
 * What the model has last seen of each file, as the version (a content hash) of the whole file. It lives as long as the
 * session: after a resume the model has to read again, because nobody knows what happened in between.
 */
export class FileMemory {
  readonly #versions = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  /** Version of `path` (relative, symlinks resolved) that the model has seen; undefined if it has not. */
  versionOf(path: string): string | undefined {
    return this.#versions.get(path);
  }

  remember(path: string, version: string | undefined): void {
    this.#versions.delete(path);
    if (version !== undefined) this.#versions.set(path, version);
    if (this.#versions.size <= MAX_FILES) return;
    for (const oldest of this.#versions.keys()) {
      this.#versions.delete(oldest);
      return;
    }
  }

  /**
   * Runs one access to a file after the other: the calls of one turn run in parallel, and an edit has to see the result
   * of the edit before it.
   */
  exclusively<T>(access: () => Promise<T>): Promise<T> {
    const result = this.#last.then(access);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
