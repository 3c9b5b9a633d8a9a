import { html } from "./html.ts";

/** A page of ours as somebody sees it who acts in another's place: with a line above it that says so, and ends it. */
export function withActingBanner(page: string, impersonator: string, username: string): string {
  const banner = html`<div class="banner" role="status"><span>${impersonator} acts in the place of <strong>${username}</strong>.</span><form method="post" action="/auth/end-impersonation"><button>End it</button></form></div>`;
  return page.replace("<body>", () => `<body>${banner.text}`);
}
