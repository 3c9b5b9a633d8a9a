import type { Compilable, CompiledQuery, DialectAdapter, Kysely } from "kysely";

/** Stands in a query for a value that is not known yet. */
class Slot {
  readonly name: string;
  readonly row: number;

  constructor(name: string, row = 0) {
    this.name = name;
    this.row = row;
  }
}

type Values = { readonly [name: string]: string | number | null };
type Prepared<Tables, Row> = (db: Kysely<Tables>, values: readonly Values[]) => Promise<Row[]>;

/**
 * A query that is put together once on each engine: that costs several times as much as running it. `build` is given
 * something for each value, to be put where the value goes and nowhere else.
 */
export function preparedQuery<Tables, Given extends Values, Row>(
  build: (db: Kysely<Tables>, values: Given) => Compilable<Row>,
): (db: Kysely<Tables>, values: Given) => Promise<Row[]> {
  const slots = new Proxy({} as Given, { get: (_, name) => new Slot(String(name)) });
  const run = prepared<Tables, Row>((db) => build(db, slots));
  return (db, values) => run(db, [values]);
}

/** Rows in one statement. */
const MAX_ROWS = 128;

/**
 * The same for many rows with these columns: in statements of 128, 64, 32 … rows and one, so that the statements are few
 * and of few shapes.
 */
export function preparedRows<Tables, Given extends Values>(
  columns: readonly (keyof Given & string)[],
  build: (db: Kysely<Tables>, rows: readonly Given[]) => Compilable<unknown>,
): (db: Kysely<Tables>, rows: readonly Given[]) => Promise<void> {
  const bySize = new Map<number, Prepared<Tables, unknown>>();
  const ofSize = (size: number): Prepared<Tables, unknown> => {
    const rows = Array.from({ length: size }, (_, row) =>
      Object.fromEntries(columns.map((name) => [name, new Slot(name, row)])),
    ) as unknown as Given[];
    return prepared((db) => build(db, rows));
  };
  return async (db, rows) => {
    for (let start = 0; start < rows.length; ) {
      const size = Math.min(MAX_ROWS, 2 ** Math.floor(Math.log2(rows.length - start)));
      const run = bySize.get(size) ?? ofSize(size);
      bySize.set(size, run);
      await run(db, rows.slice(start, start + size));
      start += size;
    }
  };
}

/** The same for a list of values of which each counts once, such as keys: it is filled up to 1, 2, 4 … with its last one. */
export function preparedList<Tables, Row>(
  build: (db: Kysely<Tables>, values: readonly string[]) => Compilable<Row>,
): (db: Kysely<Tables>, values: readonly string[]) => Promise<Row[]> {
  const bySize = new Map<number, Prepared<Tables, Row>>();
  const ofSize = (size: number): Prepared<Tables, Row> => {
    const slots = Array.from({ length: size }, (_, row) => new Slot("value", row)) as unknown as string[];
    return prepared((db) => build(db, slots));
  };
  return async (db, values) => {
    const last = values.at(-1);
    if (last === undefined) return [];
    const size = 2 ** Math.ceil(Math.log2(values.length));
    const run = bySize.get(size) ?? ofSize(size);
    bySize.set(size, run);
    return run(
      db,
      Array.from({ length: size }, (_, index) => ({ value: values[index] ?? last })),
    );
  };
}

function prepared<Tables, Row>(build: (db: Kysely<Tables>) => Compilable<Row>): Prepared<Tables, Row> {
  const byEngine = new WeakMap<DialectAdapter, CompiledQuery<Row>>();
  return async (db, values) => {
    const { adapter } = db.getExecutor();
    const compiled = byEngine.get(adapter) ?? build(db).compile();
    byEngine.set(adapter, compiled);
    const parameters = compiled.parameters.map((each) => (each instanceof Slot ? values[each.row]?.[each.name] : each));
    const { rows } = await db.executeQuery<Row>({ ...compiled, parameters });
    return rows;
  };
}
