/** `T-` and a UUIDv7 (RFC 9562), e.g. `T-0192f0c1-2f3b-7c4d-8e5f-0123456789ab`. */
export type ThreadId = `T-${string}`;

const THREAD_ID = /^T-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether `text` is a whole, lower-case thread id. */
export function isThreadId(text: string): text is ThreadId {
  return THREAD_ID.test(text);
}
