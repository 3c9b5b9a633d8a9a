export type { StreamDeadlines } from "./http/event-batches.ts";
export { EventBatches } from "./http/event-batches.ts";
export type { Connections, ExchangeDeadlines } from "./http/exchange.ts";
export { createConnections, exchange } from "./http/exchange.ts";
export { codeOf, connectionError, ExchangeError } from "./http/exchange-error.ts";
export { http, https } from "./http/node-http.ts";
export { responseText } from "./http/response-text.ts";
