import type { Kysely, KyselyPlugin } from "kysely";

/** The same database, and how many statements have gone through it. */
export function countStatements<Tables>(db: Kysely<Tables>): {
  readonly db: Kysely<Tables>;
  readonly count: () => number;
} {
  let count = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      count += 1;
      return result;
    },
  };
  return { db: db.withPlugin(plugin), count: () => count };
}
