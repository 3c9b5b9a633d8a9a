import { Secret, secretForms } from "@loom/config";
import type { RequestHeaders } from "./upstream-request.ts";

/** Of credentials in use; tokens that are made anew every hour push the old ones out. */
const MAX_KNOWN = 100;
let known = new Map<string, readonly string[]>();

const NONE: readonly string[] = [];

/** Where credentials stand; what goes beside them, as the project that pays does, is no secret. */
const SECRET_HEADERS: ReadonlySet<string> = new Set(["authorization", "x-api-key", "x-goog-api-key"]);

/** What the secrets of this credential look like, in plain and as they are often written. Made once for each. */
export function credentialForms(credential: RequestHeaders): readonly string[] {
  let all = NONE;
  for (const name in credential) {
    if (!SECRET_HEADERS.has(name)) continue;
    const forms = formsOf(credential[name] ?? "");
    all = all === NONE ? forms : [...all, ...forms];
  }
  return all;
}

/** Whether one of them stands in the text. For every header of every answer: no more than a few searches in short strings. */
export function holdsForm(text: string, forms: readonly string[]): boolean {
  for (const form of forms) if (text.length >= form.length && text.includes(form)) return true;
  return false;
}

/** The secrets themselves. */
export function secretsOf(credential: RequestHeaders): Secret[] {
  return Object.entries(credential)
    .filter(([name]) => SECRET_HEADERS.has(name))
    .map(([, value]) => new Secret(secretOf(value)));
}

function secretOf(header: string): string {
  return header.replace(/^Bearer /, "");
}

function formsOf(header: string): readonly string[] {
  const found = known.get(header);
  if (found !== undefined) return found;
  const secret = secretOf(header);
  const forms = secretForms(secret);
  const lower = forms.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  const all = [...new Set([...forms, ...lower])];
  if (known.size >= MAX_KNOWN) known = new Map();
  known.set(header, all);
  return all;
}
