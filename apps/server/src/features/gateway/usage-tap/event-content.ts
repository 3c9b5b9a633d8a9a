// What an event of a stream says, in any dialect.
import { asObject } from "../json/value.ts";

/** Whether it is why the answer stops. */
export function saysWhyItStops(event: unknown): boolean {
  const { choices, candidates, promptFeedback } = asObject(event) ?? {};
  if (typeof asObject(promptFeedback)?.blockReason === "string") return true;
  const answers: readonly unknown[] = [choices, candidates].flat();
  return answers.some((answer) => {
    const { finish_reason, finishReason = finish_reason } = asObject(answer) ?? {};
    return typeof finishReason === "string" && finishReason !== "" && finishReason !== "FINISH_REASON_UNSPECIFIED";
  });
}

/** Whether some of it is the model's: text, thinking, a call, a picture. */
export function holdsContent(event: unknown): boolean {
  const { type, delta, choices, candidates } = asObject(event) ?? {};
  if (typeof type === "string")
    return type === "content_block_delta" || (type.endsWith(".delta") && isSomething(delta));
  const answers: readonly unknown[] = [choices, candidates].flat();
  return answers.some((answer) => {
    const { delta: part, content } = asObject(answer) ?? {};
    const parts: readonly unknown[] = [asObject(content)?.parts ?? part].flat();
    return parts.some((each) => Object.entries(asObject(each) ?? {}).some(isContent));
  });
}

function isContent([name, value]: readonly [string, unknown]): boolean {
  return name !== "role" && name !== "thoughtSignature" && isSomething(value);
}

/** Neither empty nor a mere mark. */
function isSomething(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}
