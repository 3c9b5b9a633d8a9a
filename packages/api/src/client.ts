export { LoomApiError } from "./client/loom-api-error.ts";
export type { LoomClient, LoomClientDeadlines, LoomClientOptions, RequestOptions } from "./client/loom-client.ts";
export { createLoomClient, DEFAULT_CLIENT_DEADLINES } from "./client/loom-client.ts";
export type { Models, ProviderModels } from "./models.ts";
export type { UsageGroup, UsageQuery, UsageReport, UsageSums } from "./usage.ts";
