import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "./errors.ts";
import { readSecret, Secret } from "./secret.ts";

const VALUE = "sk-canary-0123456789";

describe("Secret", () => {
  const secret = new Secret(VALUE);

  it("shows a placeholder however it is printed, and its value only on request", () => {
    const shown = [
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: 9 }),
      JSON.stringify(structuredClone({ ...secret })),
    ].join("\n");
    expect(shown).toContain("[secret]");
    expect(shown).not.toContain("canary");
    expect(secret.expose()).toBe(VALUE);
  });
});

describe("readSecret", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "loom-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const file = (name: string, text: string, mode = 0o600): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  it("takes the variable, and the file before the variable", () => {
    expect(readSecret({ KEY: "from-variable" }, "KEY")?.expose()).toBe("from-variable");
    const env = { KEY: "from-variable", KEY_FILE: file("key", "from-file\n") };
    expect(readSecret(env, "KEY")?.expose()).toBe("from-file");
  });

  it("counts empty variables as not set", () => {
    expect(readSecret({}, "KEY")).toBeUndefined();
    expect(readSecret({ KEY: "", KEY_FILE: "" }, "KEY")).toBeUndefined();
  });

  it("cuts off exactly one line end", () => {
    expect(readSecret({ KEY_FILE: file("crlf", "value\r\n") }, "KEY")?.expose()).toBe("value");
    expect(readSecret({ KEY_FILE: file("spaces", " value ") }, "KEY")?.expose()).toBe(" value ");
    expect(() => readSecret({ KEY_FILE: file("two", "value\n\n") }, "KEY")).toThrow(/line break/);
  });

  it("names variable and file where the file is no good, and never its content", () => {
    const missing = join(directory, "missing");
    const bad = [
      [missing, "there is no such file"],
      [directory, "is a directory"],
      [file("empty", "\n"), "is empty"],
      [file("large", "x".repeat(20_000)), "larger than 16 KiB"],
      [file("lines", `${VALUE}\nsecond`), "one line"],
    ] as const;
    for (const [path, reason] of bad) {
      let message = "";
      try {
        readSecret({ KEY_FILE: path }, "KEY");
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        message = String(error);
      }
      expect(message).toContain(path);
      expect(message).toContain("KEY_FILE");
      expect(message).toContain(reason);
      expect(message).not.toContain("canary");
    }
  });

  it("uses a file that others can read, as containers mount them, and says so", () => {
    const warnings: string[] = [];
    const path = file("open", "value", 0o644);
    const secret = readSecret({ KEY_FILE: path }, "KEY", { warn: (sentence) => warnings.push(sentence) });
    expect(secret?.expose()).toBe("value");
    expect(warnings).toEqual([expect.stringContaining(`chmod 600 ${path}`)]);
    readSecret({ KEY_FILE: file("closed", "value") }, "KEY", { warn: (sentence) => warnings.push(sentence) });
    expect(warnings).toHaveLength(1);
  });
});
