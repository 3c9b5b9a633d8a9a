import { HELP, readOptions } from "./options.ts";

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options === "help") {
      console.log(HELP);
      return 0;
    }
    const { soak } = await import("./soak.ts");
    return await soak(options);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
}
