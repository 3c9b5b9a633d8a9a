import { readFileSync } from "node:fs";
import { join } from "node:path";

const OPEN_MS = 10_000;

/** Bytes of the server's JavaScript heap that are in use, its garbage collected first: asked of its inspector. */
export async function heapInUse(directory: string): Promise<number> {
  const socket = new WebSocket(await inspectorOf(join(directory, "server.out")));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("The server's inspector does not answer.")), {
      once: true,
    });
  });
  let id = 0;
  const call = (method: string): Promise<unknown> => {
    id += 1;
    const own = id;
    return new Promise((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const message = JSON.parse(String(data)) as { readonly id?: number; readonly result?: unknown };
        if (message.id === own) resolve(message.result);
      });
      socket.send(JSON.stringify({ id: own, method }));
    });
  };
  try {
    // What a first collection frees may be what held on to the rest.
    for (let times = 0; times < 3; times += 1) await call("HeapProfiler.collectGarbage");
    return ((await call("Runtime.getHeapUsage")) as { readonly usedSize: number }).usedSize;
  } finally {
    socket.close();
  }
}

/** Node says where it listens; the last process to say so is the one that runs. */
async function inspectorOf(file: string): Promise<string> {
  const deadline = Date.now() + OPEN_MS;
  while (Date.now() < deadline) {
    const url = [...readFileSync(file, "utf8").matchAll(/Debugger listening on (ws:\S+)/g)].at(-1)?.[1];
    if (url !== undefined) return url;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("The server's inspector did not open.");
}
