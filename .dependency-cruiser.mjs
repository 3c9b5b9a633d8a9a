// The layers of ARCHITECTURE.md: an arrow may only point to a package further up this list.
const LAYERS = ["core", "config", "llm", "api", "sandbox", "tools", "threads", "agent"];

const library = (name) => `^packages/${name}/`;
const above = (index) => LAYERS.slice(index + 1).map(library);

// Test files and what only tests import.
const TESTS = "\\.test\\.ts$|[./]testing\\.ts$|/testing/";

export default {
  forbidden: [
    ...LAYERS.map((name, index) => ({
      name: `${name}-stays-low`,
      comment: `packages/${name} may not import a higher package, an app or the testkit`,
      severity: "error",
      from: { path: library(name), pathNot: TESTS },
      to: { path: [...above(index), "^apps/", library("testkit"), "^e2e/", "^bench/"] },
    })),
    {
      name: "core-is-pure",
      severity: "error",
      from: { path: library("core"), pathNot: TESTS },
      to: { pathNot: library("core") },
    },
    {
      name: "codecs-do-no-io",
      severity: "error",
      from: { path: library("llm"), pathNot: TESTS },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "server-knows-no-agent",
      severity: "error",
      from: { path: "^apps/server/src/", pathNot: TESTS },
      to: { path: ["^apps/cli/", library("(tools|agent|testkit)")] },
    },
    {
      name: "server-knows-threads-by-their-records",
      comment: "the server keeps copies of threads; it has no thread store of its own on disk",
      severity: "error",
      from: { path: "^apps/server/src/", pathNot: TESTS },
      to: { path: library("threads"), pathNot: "^packages/threads/src/records\\.ts$" },
    },
    {
      name: "features-use-services-not-tables",
      comment: "a feature reaches another only through the service that server.ts hands it",
      severity: "error",
      from: { path: "^apps/server/src/features/([^/]+)/", pathNot: TESTS },
      to: {
        path: "^apps/server/src/features/[^/]+/(store|migrations|routes)",
        pathNot: "^apps/server/src/features/$1/",
      },
    },
    {
      name: "kit-knows-no-feature",
      severity: "error",
      from: { path: "^apps/server/src/kit/", pathNot: TESTS },
      to: { path: "^apps/server/src/features/" },
    },
    {
      name: "testkit-is-for-tests",
      severity: "error",
      from: { path: "^(packages|apps)/", pathNot: [TESTS, library("testkit")] },
      to: { path: library("testkit") },
    },
    {
      name: "testkit-is-an-independent-witness",
      severity: "error",
      from: { path: library("testkit") },
      to: { path: "^(packages|apps)/", pathNot: [library("testkit"), library("core")] },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "declared-dependencies-only",
      severity: "error",
      from: { path: "^(packages|apps)/[^/]+/src/", pathNot: TESTS },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/node_modules/(?!@loom)|^dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
    combinedDependencies: false,
  },
};
