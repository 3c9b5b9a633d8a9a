import type { FlagSpec } from "./specification.ts";

/** Flags that every command knows. */
export const COMMON_FLAGS: readonly FlagSpec[] = [
  { name: "--workspace", short: "-w", value: "DIR", description: "Work in DIR instead of the current directory." },
  { name: "--config", short: "-c", value: "FILE", description: "Read FILE instead of the user's configuration file." },
  { name: "--help", short: "-h", description: "Show this help." },
];

export const JSON_FLAG: FlagSpec = { name: "--json", description: "Print JSON." };
