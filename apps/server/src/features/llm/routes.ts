import { api } from "@loom/api";
import { type Call, type Route, route } from "../../kit/route.ts";
import { sendEvents } from "./event-stream.ts";
import { problemFor } from "./problem-for.ts";
import type { Caller, LlmService } from "./service.ts";

/** Middle boxes give up connections after a minute of silence, some after half of one. */
const KEEP_ALIVE_MS = 15_000;
const CLIENT_STALL_MS = 300_000;

export type LlmRoutesOptions = { readonly service: LlmService; readonly keepAliveMs?: number };

export function llmRoutes({ service, keepAliveMs = KEEP_ALIVE_MS }: LlmRoutesOptions): Route[] {
  return [
    route(
      api.llm.stream,
      { action: "use", resource: ({ provider }) => ({ type: "model", id: provider }) },
      async ({ params, body, call }) => {
        const answering = await service.stream(params.provider, body, callerOf(call));
        if (!answering.ok) throw problemFor(answering.failure);
        const { outgoing, id } = call;
        const options = { requestId: id, keepAliveMs, stallMs: CLIENT_STALL_MS };
        await sendEvents(outgoing, answering.batches, options);
        return undefined;
      },
    ),
    route(
      api.llm.complete,
      { action: "use", resource: ({ provider }) => ({ type: "model", id: provider }) },
      async ({ params, body, call }) => {
        const answer = await service.complete(params.provider, body, callerOf(call));
        if (!answer.ok) throw problemFor(answer.failure);
        return answer.response;
      },
    ),
    route(api.llm.models, { action: "read", resource: { type: "model" } }, () => service.models()),
  ];
}

function callerOf({ id, signal }: Call): Caller {
  return { requestId: id, signal };
}
