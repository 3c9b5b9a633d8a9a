// loom-server as its own process, with a home and an environment of its own.
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { type ProcessResult, type RunningProcess, runProcess, startProcess } from "@loom/testkit";

export const PROGRAM = fileURLToPath(new URL("../bin/loom-server.js", import.meta.url));

export type ServerProcess = {
  readonly process: RunningProcess;
  readonly url: string;
  readonly token: string;
};

export function environment(home: string, more: Record<string, string> = {}): Record<string, string> {
  return { PATH: process.env.PATH ?? "", HOME: home, ...more };
}

/** Runs until the process ends by itself. */
export function runServer(args: readonly string[], env: Record<string, string>): Promise<ProcessResult> {
  return runProcess(process.execPath, [PROGRAM, ...args], { env });
}

/** Resolves when the server listens. It is killed after a minute, or `timeoutMs`. */
export async function startServerProcess(
  dataDirectory: string,
  options: {
    readonly args?: readonly string[];
    readonly env: Record<string, string>;
    readonly timeoutMs?: number;
    /** Another build of it. */
    readonly program?: string;
  },
): Promise<ServerProcess> {
  const args = [
    options.program ?? PROGRAM,
    "--listen",
    "127.0.0.1:0",
    "--data",
    dataDirectory,
    ...(options.args ?? []),
  ];
  const running = await startProcess(process.execPath, args, options);
  const match = await running.waitForOutput(/Listening on (\S+)\.\n/);
  const token = (await readFile(`${dataDirectory}/owner-token`, "utf8")).trim();
  return { process: running, url: match[1] ?? "", token };
}

/** A port that is taken until `release`. */
export function takePort(): Promise<{ port: number; release(): void }> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      resolve({ port, release: () => void server.close() });
    });
  });
}
