import type { ServerConfig } from "../../config.ts";
import { defineFeature } from "../../kit/feature.ts";
import { createLlmMetrics } from "./llm-metrics.ts";
import { createModelChoice } from "./model-choice.ts";
import { llmRoutes } from "./routes.ts";
import { createLlmService, type LlmService } from "./service.ts";
import { createUpstream } from "./upstream.ts";

/** Models of all providers behind Loom's own request and event format. The providers' keys stay here. */
export const llm = defineFeature<{ readonly service: LlmService; readonly keepAliveMs?: number }, LlmNeeds>({
  name: "llm",
  services: ({ redact, metrics, log }, { config, keepAliveMs }) => {
    const upstream = createUpstream({ deadlines: config.deadlines, redact });
    const choice = createModelChoice(config, (provider, signal) => upstream.models(provider, signal));
    const service = createLlmService({ choice, upstream, metrics: createLlmMetrics(metrics), log, redact });
    return { service, ...(keepAliveMs === undefined ? {} : { keepAliveMs }) };
  },
  routes: llmRoutes,
});

type LlmNeeds = { readonly config: ServerConfig; readonly keepAliveMs?: number | undefined };
