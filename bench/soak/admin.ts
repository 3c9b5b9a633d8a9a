/** What the owner does over HTTP. */
export type NamedTokens = {
  /** By name. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly ids: ReadonlyMap<string, string>;
};

const MUCH = 1_000_000_000_000;

/** Some bear everything, some nothing, some a little. */
const LIMITS: Readonly<Record<string, object>> = {
  team: { dayMicroUsd: MUCH, monthMicroUsd: MUCH, totalMicroUsd: MUCH },
  crew: { totalMicroUsd: MUCH, requestsPerMinute: 1_000_000, tokensPerMinute: 1_000_000_000, concurrency: 10_000 },
  broke: { totalMicroUsd: 1 },
  hurried: { requestsPerMinute: 60 },
  narrow: { concurrency: 1, totalMicroUsd: MUCH },
  picky: { models: ["claude-*"] },
};

/** Prices for the models of the soak, and a token for each kind of client. */
export async function setUp(url: string, owner: string): Promise<NamedTokens> {
  const prices = { input: 3_000_000, output: 15_000_000, cacheRead: 300_000, cacheWrite: 3_750_000 };
  await call(`${url}/api/admin/prices`, owner, { method: "PUT", body: { provider: "*", model: "*-soak", prices } });
  const secrets = new Map([["owner", owner]]);
  const ids = new Map<string, string>();
  for (const [name, limits] of Object.entries(LIMITS)) {
    const made = (await call(`${url}/api/tokens`, owner, { method: "POST", body: { name, limits } })) as {
      readonly token: string;
      readonly info: { readonly id: string };
    };
    secrets.set(name, made.token);
    ids.set(name, made.info.id);
  }
  return { secrets, ids };
}

/** The value of a metric without labels; `undefined` where there is none. */
export async function metric(url: string, owner: string, name: string): Promise<number | undefined> {
  const text = String(await call(`${url}/metrics`, owner));
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

/** `GET /api/usage` over all time. */
export async function usageTotal(url: string, owner: string): Promise<UsageTotal> {
  const report = (await call(`${url}/api/usage?groupBy=outcome&from=2000-01-01T00:00:00Z`, owner)) as {
    readonly total: UsageTotal;
  };
  return report.total;
}

export type UsageTotal = {
  readonly requests: number;
  readonly costMicroUsd: number;
  readonly tokens: { readonly input: number; readonly output: number };
};

async function call(
  url: string,
  token: string,
  { method = "GET", body }: { readonly method?: string; readonly body?: object } = {},
): Promise<unknown> {
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", connection: "close" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url} was answered with ${answer.status}: ${text.slice(0, 300)}`);
  return answer.headers.get("content-type")?.includes("json") === true ? JSON.parse(text) : text;
}
