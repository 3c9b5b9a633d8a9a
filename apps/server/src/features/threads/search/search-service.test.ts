import { mkdirSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type SqlBool, sql } from "kysely";
import { expect, test } from "vitest";
import { sqlite, testDatabase } from "../../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../../kit/log.ts";
import { migrations } from "../migrations.ts";
import { createSearchService } from "./search-service.ts";

test("an index whose thread has ended is away for those who ask, and comes back by itself", async () => {
  await using home = await testDatabase(sqlite, [{ feature: "threads", migrations }]);
  const database = await home.open();
  const service = createSearchService({
    database: async () => database,
    outputs: { read: async () => undefined },
    visible: () => sql<SqlBool>`true`,
    now: Date.now,
    log: SILENT_LOG,
  });
  // It can be neither opened nor made anew.
  const inItsPlace = join(dirname(database.place), "thread-search.sqlite");
  mkdirSync(inItsPlace);
  const attempt = (): Promise<unknown> =>
    service.catchUp(new AbortController().signal).then(
      () => "done",
      (error: unknown) => error,
    );
  for (let n = 0; n < 3; n += 1) {
    expect(await attempt()).toMatchObject({
      name: "DatabaseUnavailable",
      tells: "The Loom server cannot use its index of threads at the moment: try again.",
    });
  }
  rmdirSync(inItsPlace);
  while ((await attempt()) !== "done") await new Promise((resolve) => setTimeout(resolve, 50));
  await service.close();
});
