import { parseUrl } from '../kernel/address.ts';
import { namedId } from '../kernel/id.ts';

/** Where an integration's callbacks to a URL go: all URLs of one origin share an endpoint, its health and its limits. */
export type Endpoint = { endpoint_id: string; origin: string };

/** The endpoints that these challenges' callbacks go to, for waking them up after the commit. */
export function endpointsOf(
  challenges: readonly { integration_id: string; callback_url: string | null }[],
): string[] {
  return challenges.flatMap(({ integration_id, callback_url }) =>
    callback_url === null ? [] : [endpointOf(integration_id, callback_url).endpoint_id],
  );
}

/** The endpoint of a URL; its id follows from the integration and the origin, so that no lookup is needed. Throws for what is no URL. */
export function endpointOf(integrationId: string, url: string): Endpoint {
  const origin = parseUrl(url)?.origin;
  if (origin === undefined || origin === 'null') throw new Error('a callback URL that has no origin');
  return { endpoint_id: namedId(origin, integrationId), origin };
}
