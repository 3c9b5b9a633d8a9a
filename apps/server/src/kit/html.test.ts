import { expect, test } from "vitest";
import { html, page } from "./html.ts";

test("what is filled into a page cannot become markup", () => {
  const hostile = `"><script>alert('x')</script>&`;
  const inner = html`<b title="${hostile}">${hostile}</b>`;
  expect(inner.text).not.toContain("<script");
  expect(inner.text).toBe(
    '<b title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</b>',
  );
  expect(page({ title: hostile, body: inner })).not.toContain("<script");
});

test("pieces of HTML go in as they are, lists of them too, and nothing is nothing", () => {
  const items = [html`<li>1</li>`, html`<li>2</li>`];
  expect(html`<ul>${items}${false}${undefined}${null}</ul>${3}`.text).toBe("<ul><li>1</li><li>2</li></ul>3");
});
