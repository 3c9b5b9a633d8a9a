export type { ServerConfig } from "./config.ts";
export { takeServerConfig } from "./config.ts";
export type { RunningServer, ServerAccess, ServerOptions } from "./server.ts";
export { startServer } from "./server.ts";
