import { api, createJsonClient, type JsonClient } from "@loom/api/json-client";

/** Who a token belongs to, as the server says. */
export type Identity = Awaited<ReturnType<typeof whoAmI>>;

/** @throws LoomApiError */
export function whoAmI(server: string, token: string) {
  return withToken(server, token, (client) => client.ask(api.oauth.whoami, {}));
}

/** Ends the session that the token is of. @throws LoomApiError */
export async function endSession(server: string, token: string): Promise<void> {
  await withToken(server, token, async (client) => {
    const { sessions } = await client.ask(api.sessions.list, { query: { limit: 100 } });
    const current = sessions.find((each) => each.current);
    if (current !== undefined) await client.ask(api.sessions.end, { params: { id: current.id } });
  });
}

async function withToken<Result>(
  server: string,
  token: string,
  work: (client: JsonClient) => Promise<Result>,
): Promise<Result> {
  const client = createJsonClient({ baseUrl: server, token: () => token });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
