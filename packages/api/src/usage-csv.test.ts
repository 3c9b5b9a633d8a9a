import { describe, expect, it } from "vitest";
import type { UsageReport, UsageSums } from "./usage.ts";
import { usageCsv } from "./usage-csv.ts";

const SUMS: UsageSums = {
  requests: 1,
  errors: 2,
  cancelled: 3,
  refused: 4,
  tokens: { input: 5, output: 6, cacheRead: 7, cacheWrite: 8, cacheWriteLong: 9, reasoning: 10 },
  costMicroUsd: 11,
  unpriced: 12,
  estimated: 13,
  replaced: 16,
  latencyMs: { p50: 14, p95: 15 },
  firstByteMs: null,
};

function csvOf(key: readonly (string | null)[]): string[] {
  const report: UsageReport = {
    from: "2026-09-01T00:00:00.000Z",
    to: "2026-09-02T00:00:00.000Z",
    groupBy: key.map((_, index) => `d${index}`),
    groups: [{ key, ...SUMS }],
    more: 0,
    total: SUMS,
  };
  return usageCsv(report).split("\r\n");
}

describe("usage as CSV", () => {
  it("has a header, a line for each group, and nothing where nothing was measured", () => {
    expect(csvOf(["claude-opus-5", null])).toEqual([
      "d0,d1,requests,errors,cancelled,refused,input_tokens,output_tokens,cache_read_tokens,cache_write_tokens," +
        "cache_write_long_tokens,reasoning_tokens,cost_micro_usd,unpriced,estimated,latency_p50_ms,latency_p95_ms," +
        "first_byte_p50_ms,first_byte_p95_ms,replaced",
      "claude-opus-5,,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,,,16",
      "",
    ]);
  });

  it.each([
    ["=1+1", `"'=1+1"`],
    ["+1", `"'+1"`],
    ["-1", `"'-1"`],
    ["@SUM(A1)", `"'@SUM(A1)"`],
    [" =1", `"' =1"`],
    ["\t=1", `"'\t=1"`],
    ["\r=1", `"'\r=1"`],
    ["＝1", `"'＝1"`],
    ["a,b", '"a,b"'],
    ['a"b', '"a""b"'],
    ["a\nb", '"a\nb"'],
    ["a=b-c", "a=b-c"],
  ])("writes %j so that no spreadsheet takes it for a formula or for several cells", (text, cell) => {
    const csv = csvOf([text]).join("\r\n");
    expect(csv).toContain(`\r\n${cell},1,2,`);
  });
});
