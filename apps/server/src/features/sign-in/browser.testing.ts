// As much of a browser as signing in needs: cookies by host and port's host, redirects, forms with an Origin.
import { type Agent, request } from "node:http";

export type Page = {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

export type BrowserRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  /** Default: follow redirects. */
  readonly follow?: boolean;
};

const MAX_REDIRECTS = 15;

/** One profile of a browser. Cookies are kept by host name, without the port, as browsers do. */
export class TestBrowser {
  readonly cookies = new Map<string, Map<string, string>>();
  /** Sent with every request to this server, as a proxy in front of it would. */
  readonly #headers: Readonly<Record<string, string>>;

  readonly #agent: Agent | false;

  /** `agent`: a proxy's connections, which several browsers share. */
  constructor(
    headers: Readonly<Record<string, string>> = {},
    { agent = false }: { readonly agent?: Agent | false } = {},
  ) {
    this.#headers = headers;
    this.#agent = agent;
  }

  jar(host: string): Map<string, string> {
    const jar = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, jar);
    return jar;
  }

  async open(address: string, options: BrowserRequest = {}): Promise<Page> {
    let page = await this.#send(address, options);
    for (let step = 0; options.follow !== false && page.status >= 300 && page.status < 400; step += 1) {
      if (step === MAX_REDIRECTS) throw new Error(`Too many redirects, the last to ${page.headers.location}.`);
      page = await this.#send(new URL(String(page.headers.location), page.url).href, {});
    }
    return page;
  }

  /** As the form on a page of that server does it. */
  submit(address: string, form: Readonly<Record<string, string>> = {}, options: BrowserRequest = {}): Promise<Page> {
    return this.open(address, {
      method: "POST",
      form,
      ...options,
      headers: { origin: new URL(address).origin, ...options.headers },
    });
  }

  #send(address: string, { method = "GET", headers = {}, form }: BrowserRequest): Promise<Page> {
    const url = new URL(address);
    const jar = this.jar(url.hostname);
    const body = form === undefined ? undefined : new URLSearchParams(form).toString();
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const all = {
      ...this.#headers,
      ...(cookie === "" ? {} : { cookie }),
      ...(body === undefined
        ? {}
        : { "content-type": "application/x-www-form-urlencoded", "content-length": String(Buffer.byteLength(body)) }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers: all, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () => {
          for (const line of response.headers["set-cookie"] ?? []) keep(jar, line);
          resolve({
            url: url.href,
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          });
        });
      });
      outgoing.once("error", reject);
      outgoing.end(body);
    });
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [pair = "", ...attributes] = line.split(";");
  const at = pair.indexOf("=");
  const name = pair.slice(0, at).trim();
  const isGone = attributes.some((each) => /^\s*(?:max-age=0|expires=thu, 01 jan 1970.*)$/i.test(each));
  if (isGone) jar.delete(name);
  else jar.set(name, pair.slice(at + 1).trim());
}
