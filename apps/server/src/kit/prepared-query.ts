import type { Compilable, CompiledQuery, DialectAdapter, Kysely } from "kysely";

/** Stands in a query for a value that is not known yet. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * A query that is put together once on each engine: that costs several times as much as running it. `build` is given
 * something for each value, to be put where the value goes and nowhere else.
 */
export function preparedQuery<Tables, Values extends { readonly [name: string]: string | number }, Row>(
  build: (db: Kysely<Tables>, values: Values) => Compilable<Row>,
): (db: Kysely<Tables>, values: Values) => Promise<Row[]> {
  const known = new WeakMap<DialectAdapter, CompiledQuery<Row>>();
  const slots = new Proxy({} as Values, { get: (_, name) => new Slot(String(name)) });
  return async (db, values) => {
    const { adapter } = db.getExecutor();
    let compiled = known.get(adapter);
    if (compiled === undefined) {
      compiled = build(db, slots).compile();
      known.set(adapter, compiled);
    }
    const parameters = compiled.parameters.map((each) => (each instanceof Slot ? values[each.name] : each));
    const { rows } = await db.executeQuery<Row>({ ...compiled, parameters });
    return rows;
  };
}
