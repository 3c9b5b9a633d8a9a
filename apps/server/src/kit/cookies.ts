import type { RequestHead } from "./request-head.ts";

/**
 * With `__Host-` a browser takes a cookie only by https, only from this very host and only for all of its paths
 * (RFC 6265bis, 4.1.3.2), so that no neighbouring host can plant one. Browsers refuse it by plain http.
 */
export function cookieName(name: string, { secure }: { readonly secure: boolean }): string {
  return secure ? `__Host-${name}` : name;
}

/** The values of all cookies of that name, as they came. */
export function cookieValues(request: RequestHead, name: string): readonly string[] {
  const values: string[] = [];
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at !== -1 && pair.slice(0, at).trim() === name) values.push(pair.slice(at + 1).trim());
  }
  return values;
}

/** `Set-Cookie` for a cookie that scripts do not see and that other sites' forms do not send; 0 seconds take it away. */
export function setCookie(
  name: string,
  value: string,
  { secure, maxAgeSeconds }: { readonly secure: boolean; readonly maxAgeSeconds: number },
): string {
  const attributes = [`Max-Age=${maxAgeSeconds}`, "Path=/", "HttpOnly", "SameSite=Lax", ...(secure ? ["Secure"] : [])];
  return [`${cookieName(name, { secure })}=${value}`, ...attributes].join("; ");
}
