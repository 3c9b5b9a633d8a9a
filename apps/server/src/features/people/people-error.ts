/** What cannot be done for somebody, or with him. `message` is a whole sentence; `field` is where the input is wrong. */
export class PeopleError extends Error {
  override readonly name = "PeopleError";
  readonly reason: "wrong" | "unknown" | "conflict" | "refused" | "version" | "unversioned" | "gone";
  readonly field: string | undefined;

  constructor(reason: PeopleError["reason"], message: string, { field }: { readonly field?: string } = {}) {
    super(message);
    this.reason = reason;
    this.field = field;
  }
}
