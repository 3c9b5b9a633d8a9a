import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "e2e/**/*.test.ts", "scripts/**/*.test.ts"],
    // Real processes and servers on a small machine: generous, so that a busy neighbour fails no test.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: "forks",
  },
});
