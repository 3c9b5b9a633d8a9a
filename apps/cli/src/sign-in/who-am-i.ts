import { type ClientContext, clientContext, requestJson } from "@loom/api/request";

/** Who a token belongs to, as the server says. */
export type Identity = {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  readonly email?: string;
  readonly globalRoles?: readonly string[];
  readonly organizations?: readonly { readonly id: string; readonly role: string }[];
  readonly scopes?: readonly string[];
  readonly impersonator?: string;
};

const DEADLINES = { connectMs: 10_000, gapMs: 10_000, completeMs: 15_000 };

/** @throws LoomApiError */
export async function whoAmI(server: string, token: string): Promise<Identity> {
  return (await ask(server, token, "GET", "/api/whoami")) as Identity;
}

/** Ends the session that the token is of. @throws LoomApiError */
export async function endSession(server: string, token: string): Promise<void> {
  const { sessions } = (await ask(server, token, "GET", "/api/sessions?limit=100")) as {
    readonly sessions?: readonly { readonly id: string; readonly current: boolean }[];
  };
  const current = sessions?.find((each) => each.current);
  if (current !== undefined) await ask(server, token, "DELETE", `/api/sessions/${encodeURIComponent(current.id)}`);
}

async function ask(server: string, token: string, method: "GET" | "DELETE", path: string): Promise<unknown> {
  const context: ClientContext = { ...clientContext({ baseUrl: server, token: () => token }), deadlines: DEADLINES };
  try {
    return await requestJson(context, { method, path });
  } finally {
    context.connections.close();
  }
}
