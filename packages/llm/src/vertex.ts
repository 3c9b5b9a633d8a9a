import type { JsonObject } from "@loom/core";

export type VertexModel = {
  readonly project: string;
  /** A region (`europe-west4`), a multi-region (`us`, `eu`) or `global`. */
  readonly location: string;
  readonly publisher: "google" | "anthropic";
  readonly model: string;
};

export type VertexMethod =
  | "generateContent"
  | "streamGenerateContent"
  | "countTokens"
  | "rawPredict"
  | "streamRawPredict";

/** Where Vertex AI answers for a location: https://cloud.google.com/vertex-ai/docs/reference/rest */
export function vertexOrigin(location: string): string {
  if (location === "global") return "https://aiplatform.googleapis.com";
  if (location === "us" || location === "eu") return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}

/** The path of a model's method. Gemini's stream is one of server-sent events only with `?alt=sse` behind it. */
export function vertexPath({ project, location, publisher, model }: VertexModel, method: VertexMethod): string {
  // Versions are behind an @, which has to stay.
  const [projectPart, locationPart, modelPart] = [project, location, model].map((part) =>
    encodeURIComponent(part).replaceAll("%40", "@"),
  );
  return `/v1/projects/${projectPart}/locations/${locationPart}/publishers/${publisher}/models/${modelPart}:${method}`;
}

/** A body of Anthropic Messages as Claude on Vertex AI takes it, through `rawPredict`: the model is in the path. */
export function vertexClaudeBody(body: JsonObject): JsonObject {
  const { model: _model, ...rest } = body;
  return { anthropic_version: "vertex-2023-10-16", ...rest };
}
