export type { BodyOf, Contract, PathParams, QueryOf, ReplyKind, ResponseOf, RouteSchemas } from "./contract.ts";
export { api, loadProblemSchema } from "./contract.ts";
export { parseLlmRequest } from "./llm-request.ts";
export type { Models, ProviderModels } from "./models.ts";
export type { FieldError, Problem, ProblemCode } from "./problem.ts";
export { PROBLEM_MEDIA_TYPE, problemOf } from "./problem.ts";
