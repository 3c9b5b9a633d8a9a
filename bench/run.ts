import { HELP, readOptions } from "./options.ts";

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options === "help") {
      console.log(HELP);
      return 0;
    }
    if (options.codecs) {
      const { benchCodecs } = await import("./codecs.ts");
      await benchCodecs();
      return 0;
    }
    if (options.threads) {
      const { benchThreads } = await import("./threads.ts");
      await benchThreads(options);
      return 0;
    }
    if (options.policy) {
      const { benchPolicy } = await import("./policy.ts");
      await benchPolicy(options);
      return 0;
    }
    if (options.sessions) {
      const { benchSessions } = await import("./sessions.ts");
      await benchSessions(options);
      return 0;
    }
    if (options.audit) {
      const { benchAudit } = await import("./audit.ts");
      await benchAudit(options);
      return 0;
    }
    if (options.sync) {
      const { benchSync } = await import("./sync.ts");
      await benchSync(options);
      return 0;
    }
    const { benchAgents } = await import("./agents.ts");
    return await benchAgents(options);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
}
