/** Text that is HTML: made by `html`, and put into another as it is. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Html | string | number | false | null | undefined | readonly Html[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Safe between tags and in attributes with quotes, and nowhere else. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** A template of HTML. What is filled in is escaped, unless it is `Html` itself; `false`, `null` and `undefined` are nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.reduce((text, part, index) => text + textOf(values[index - 1]) + part));
}

function textOf(value: Value): string {
  if (value === undefined || value === null || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map((each) => each.text).join("");
  return escapeHtml(String(value));
}

const STYLE = new Html(`
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--text:#1b1f24;--dim:#5b6673;--line:#d9dee4;--accent:#2f5bd8;--on-accent:#fff;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--back:#111418;--card:#1a1f25;--text:#e8ebef;--dim:#9aa5b1;--line:#313943;--accent:#8aa6ff;--on-accent:#10131a;--bad:#ff8a80}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:8vh auto;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:12px}
main.wide{max-width:60rem}h1{font-size:1.4rem;margin:0 0 1rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{margin:.6rem 0}.dim{color:var(--dim)}.bad{color:var(--bad)}
a{color:var(--accent)}form{margin:.8rem 0}form.inline{display:inline;margin:0}label{display:block;margin:.6rem 0 .2rem}
input{width:100%;padding:.6rem .7rem;font:inherit;color:inherit;background:var(--back);border:1px solid var(--line);border-radius:8px}
button,.button{display:inline-block;padding:.6rem 1rem;font:inherit;font-weight:600;color:var(--on-accent);background:var(--accent);border:0;border-radius:8px;cursor:pointer;text-decoration:none}
button.quiet,.button.quiet{color:var(--text);background:transparent;border:1px solid var(--line)}.stack>*{display:block;width:100%;margin:.5rem 0;text-align:center}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:.45rem .4rem;border-bottom:1px solid var(--line);vertical-align:top}
code,pre{font:0.9em ui-monospace,monospace}pre{overflow:auto;padding:.8rem;background:var(--back);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere}.code{font-size:1.8rem;letter-spacing:.12em}
.banner{margin:0;padding:.6rem 1rem;display:flex;gap:1rem;align-items:center;justify-content:center;flex-wrap:wrap;color:#fff;background:#8c1d18}.banner form{margin:0}.banner button{color:#8c1d18;background:#fff}
.qr{display:block;width:14rem;max-width:100%;margin:.8rem 0;border-radius:8px}
`);

const POLICY = new Html(
  `<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">`,
);

/** A whole page of ours, without a script. */
export function page(options: {
  readonly title: string;
  readonly body: Html;
  readonly wide?: boolean;
  readonly locale?: string;
  /** For a file that is kept elsewhere: what no header forbids there, the page forbids itself. */
  readonly standalone?: boolean;
}): string {
  const { title, body, wide = false, locale = "en", standalone = false } = options;
  return html`<!doctype html>
<html lang="${locale}"><head><meta charset="utf-8">${standalone && POLICY}<meta name="viewport" content="width=device-width,initial-scale=1"><title>${title} \u00b7 Loom</title><style>${STYLE}</style></head>
<body><main class="${wide ? "wide" : ""}"><h1>${title}</h1>
${body}
</main></body></html>
`.text;
}
