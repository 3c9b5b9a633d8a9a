import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { JsonObject, ToolProgress } from "@loom/core";
import { onTestFinished } from "vitest";
import { builtinTools } from "./builtin/builtin-tools.ts";
import type { LocalFilesOptions } from "./files/local-files.ts";
import { LocalFiles } from "./files/local-files.ts";
import { LocalProcesses } from "./processes/local-processes.ts";
import type { ExecutedCall, ToolSet } from "./tool-set.ts";
import { createToolSet } from "./tool-set.ts";

/** Never aborted. */
export const RUNNING = new AbortController().signal;

/** An empty directory that is gone when the test is. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "loom-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A workspace with the built-in tools on it. Files are given as path -> content. */
export class Workspace {
  readonly root: string = temporaryDirectory();
  readonly outputDirectory: string = join(temporaryDirectory(), "outputs");
  readonly files: LocalFiles;
  readonly processes: LocalProcesses;
  readonly tools: ToolSet;

  constructor(content: Readonly<Record<string, string | Uint8Array>> = {}, options: LocalFilesOptions = {}) {
    for (const [path, text] of Object.entries(content)) this.put(path, text);
    this.files = new LocalFiles(this.root, options);
    this.processes = new LocalProcesses({ root: this.root, environment: { PATH: process.env.PATH } });
    const { files, processes, outputDirectory } = this;
    this.tools = createToolSet({ tools: builtinTools, files, processes, outputDirectory });
    onTestFinished(() => this.processes.close());
    onTestFinished(() => this.files.close());
  }

  put(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), content);
  }

  text(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  call(
    name: string,
    input: JsonObject,
    options: { signal?: AbortSignal; onProgress?: (progress: ToolProgress) => void } = {},
  ): Promise<ExecutedCall> {
    return this.tools.execute({ type: "tool_use", id: "call-1", name, input }, { signal: RUNNING, ...options });
  }

  /** What the model reads, be it a result or an error. */
  async model(name: string, input: JsonObject): Promise<string> {
    return modelText(await this.call(name, input));
  }
}

export function modelText({ outcome }: ExecutedCall): string {
  if (outcome.type === "error") return outcome.message;
  return outcome.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

/** The error's code, or `success`. */
export function codeOf({ outcome }: ExecutedCall): string {
  return outcome.type === "error" ? outcome.code : "success";
}
