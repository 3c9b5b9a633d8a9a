import { spawn } from "node:child_process";
import { COMMAND_VARIABLE } from "./process-tree.ts";

/**
 * Waits for the end of its input, which the system brings about when Loom dies in any way, and then ends what carries
 * the id: asks first, as `endTree` does. Twice a look, because a process in the middle of exec shows no environment. A
 * shell of ours leads a group, which is ended with it.
 */
const SCRIPT = `while read -r _; do :; done
for signal in TERM KILL; do
  for file in $(grep -lz "^${COMMAND_VARIABLE}=$1:" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    pid=\${pid%/environ}
    kill -s $signal -- "-$pid" || kill -s $signal "$pid"
  done
  sleep 0.5
done`;

/** Ends the commands of a Loom that was killed and could not do it. */
export type DeathWatch = { close(): void };

/**
 * Starts a small shell that outlives this process by a second, if this one is killed (SIGKILL, a crash), and ends all
 * processes whose command id begins with `idPrefix` and a colon. One for a session, not for a command; nothing is said to
 * it meanwhile. Only where there is /proc: elsewhere, and where there is no `sh` or `grep`, they stay. Never throws.
 */
export function watchForDeath(idPrefix: string, path: string | undefined): DeathWatch {
  if (process.platform !== "linux") return NO_WATCH;
  try {
    const child = spawn("/bin/sh", ["-c", SCRIPT, "loom-death-watch", idPrefix], {
      stdio: ["pipe", "ignore", "ignore"],
      env: { PATH: path ?? "/usr/bin:/bin" },
      cwd: "/",
      // What is sent to Loom's group, by a terminal say, must not end it.
      detached: true,
    });
    child.on("error", () => undefined);
    child.unref();
    return { close: () => void child.kill("SIGKILL") };
  } catch {
    return NO_WATCH;
  }
}

const NO_WATCH: DeathWatch = { close() {} };
