export type { JsonClient } from "./client/json-client.ts";
export { createJsonClient } from "./client/json-client.ts";
export { api } from "./contract.ts";
