import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "e2e/**/*.test.ts", "scripts/**/*.test.ts"],
    // Real processes and servers on a small machine: generous, so that a busy neighbour fails no test.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Files share a process and the modules that it has loaded: half of the time went into starting afresh for each.
    isolate: false,
    // Most tests wait for processes and databases more than they compute.
    maxWorkers: availableParallelism() + 1,
    globalSetup: ["apps/server/src/engines-setup.testing.ts"],
    // On a machine that others share, a process that starts late is no news; the report names what needed a second try.
    retry: process.env.CI === undefined ? 0 : 1,
  },
});
