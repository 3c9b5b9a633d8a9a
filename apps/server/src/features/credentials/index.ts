import type { Secret } from "@loom/config";
import type { ServerConfig } from "../../config.ts";
import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { migrations } from "./migrations.ts";
import { credentialRoutes } from "./routes.ts";
import { type CredentialService, createCredentialService, type DisabledCredential } from "./service.ts";

export type CredentialNeeds = {
  readonly config: ServerConfig;
  readonly dataDirectory: string | undefined;
  readonly conceal: (owner: string, secrets: readonly Secret[]) => void;
};

/** The providers' credentials: many of each, from the environment and from the database, where they are encrypted. */
export const credentials = defineFeature<CredentialService, CredentialNeeds>({
  name: "credentials",
  migrations,
  onPurge: "nothing",
  services: ({ database, log, metrics, audit }, { config, dataDirectory, conceal }) => {
    const alert = metrics.counter({
      name: "loom_gateway_credential_alerts_total",
      help: "Credentials that were disabled because a provider refused them.",
      labels: ["provider"],
    });
    const onAlert = ({ id, provider, reason = "" }: DisabledCredential): void => {
      alert({ provider });
      void audit.record({
        event: "credential.disabled",
        outcome: "success",
        actor: { type: "system", id: "system", name: "system" },
        target: { type: "credential", id },
        details: { provider, reason },
      });
    };
    const service = createCredentialService({ config, database, dataDirectory, log, conceal, onAlert });
    observe(metrics, service);
    return service;
  },
  routes: credentialRoutes,
  jobs: (service) => [
    every("1 s", "follow_credentials", async () => {
      await service.save({ waits: false });
      await service.follow();
    }),
    every("1 min", "refresh_access_tokens", async () => service.refreshTokens()),
  ],
  health: (service) => [
    {
      name: "credentials",
      run: () => service.follow(),
      detail: () => Object.fromEntries(service.health().map(({ provider, ...counts }) => [provider, counts])),
    },
  ],
});

function observe(metrics: Metrics, service: CredentialService): void {
  metrics.observedAll({
    name: "loom_gateway_credentials",
    help: "Credentials of the providers by their state.",
    labels: ["provider", "state"],
    read: () =>
      service.health().flatMap(({ provider, available, coolingDown, disabled }) => [
        { labels: { provider, state: "available" }, value: available },
        { labels: { provider, state: "cooling_down" }, value: coolingDown },
        { labels: { provider, state: "disabled" }, value: disabled },
      ]),
  });
}
