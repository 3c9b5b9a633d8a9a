import type { Job } from "./jobs.ts";
import type { Kit } from "./kit.ts";
import type { Migration } from "./migrations.ts";
import type { OnPurge, Purge, PurgeParts } from "./purge.ts";
import type { RawRoute } from "./raw-route.ts";
import type { Route } from "./route.ts";

/** `run` gives nothing if all is well, or throws. Has 5 s. `detail`: what else there is to say about it, as JSON. */
export type HealthCheck = {
  readonly name: string;
  run(): Promise<void>;
  detail?(): { readonly [name: string]: unknown };
};

/**
 * One capability of the server. `services` builds what the feature does from what every feature stands on, and from
 * other features' services that `server.ts` hands in; the rest is made of those services.
 */
export type FeatureDefinition<Needs, Services> = {
  readonly name: string;
  readonly services: (kit: Kit, needs: Needs) => Services;
  readonly routes?: (services: Services) => readonly Route[];
  readonly rawRoutes?: (services: Services) => readonly RawRoute[];
  readonly jobs?: (services: Services) => readonly Job[];
  readonly health?: (services: Services) => readonly HealthCheck[];
} & (
  | { readonly migrations?: undefined; readonly onPurge?: undefined }
  // Whoever has tables says what becomes of what they hold of a person or an organization that is gone.
  | { readonly migrations: readonly Migration[]; readonly onPurge: OnPurge<Services, Kit> }
);

/** A feature in a running server. */
export type Feature<Services = unknown> = {
  readonly name: string;
  readonly services: Services;
  readonly routes: readonly Route[];
  readonly rawRoutes: readonly RawRoute[];
  readonly jobs: readonly Job[];
  readonly health: readonly HealthCheck[];
  readonly onPurge: Purge | undefined;
};

export type FeatureFactory<Needs, Services> = {
  readonly name: string;
  /** Known before anything runs: the database needs them first. */
  readonly migrations: readonly Migration[];
  build(kit: Kit, needs: Needs): Feature<Services>;
};

export function defineFeature<Services, Needs = undefined>(
  definition: FeatureDefinition<Needs, Services>,
): FeatureFactory<Needs, Services> {
  const { name, migrations = [], routes, rawRoutes, jobs, health, onPurge } = definition;
  return {
    name,
    migrations,
    build(kit, needs) {
      const services = definition.services(kit, needs);
      return {
        name,
        services,
        routes: routes?.(services) ?? [],
        rawRoutes: rawRoutes?.(services) ?? [],
        jobs: jobs?.(services) ?? [],
        health: health?.(services) ?? [],
        onPurge: typeof onPurge === "function" ? purgeOf(onPurge(services, kit)) : undefined,
      };
    },
  };
}

const NOTHING = async (): Promise<void> => {};

function purgeOf({ person, organization, teams }: PurgeParts): Purge {
  return {
    person: person === "nothing" ? NOTHING : person,
    organization: organization === "nothing" ? NOTHING : organization,
    teams: teams === undefined ? [] : [teams],
  };
}
