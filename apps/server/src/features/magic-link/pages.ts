import { html, page } from "../../kit/html.ts";
import { LINK_MINUTES } from "./service.ts";

export function sentPage(email: string): string {
  return page({
    title: "Look at your mail",
    body: html`<p>If <b>${email}</b> may sign in here, a link is on its way. It works once, within ${LINK_MINUTES} minutes; a link
that was sent before works no more.</p><p><a href="/auth/sign-in">Back</a></p>`,
  });
}

export function confirmPage(token: string): string {
  return page({
    title: "Sign in to Loom",
    body: html`<p>You opened a link that was sent to you by mail. Sign in with it now?</p>
<form method="post" action="/auth/magic-link/redeem"><input type="hidden" name="token" value="${token}"><button>Sign in</button></form>`,
  });
}

export function deadPage(): string {
  return page({
    title: "This link does not work any more",
    body: html`<p>It was used already, is older than ${LINK_MINUTES} minutes, or a newer one was sent.</p><p><a href="/auth/sign-in">Ask for another</a></p>`,
  });
}

export function offPage(): string {
  return page({
    title: "No links by mail",
    body: html`<p>This server sends no mail: sign in another way.</p><p><a href="/auth/sign-in">Back</a></p>`,
  });
}
