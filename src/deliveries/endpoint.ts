import { parseUrl } from '../kernel/address.ts';
import { namedId } from '../kernel/id.ts';

/** Where an integration's callbacks to a URL go: all URLs of one origin share an endpoint, its health and its limits. */
export type Endpoint = { endpoint_id: string; origin: string };

/** Whose events go where: the integration's to the callback URL, and what is done in Slack to the workspace. */
type Sender = { integration_id: string; callback_url: string | null; slack_instance_id: string | null };

/** Stands for Slack in what is to be done there. No URL, so that no callback ever shares an endpoint with it. */
export const SLACK_URL = 'slack';

/** The endpoints that these challenges' events go to, for waking them up after the commit. */
export function endpointsOf(challenges: readonly Sender[]): string[] {
  const callbacks = challenges.flatMap(({ integration_id, callback_url }) =>
    callback_url === null ? [] : [endpointOf(integration_id, callback_url).endpoint_id],
  );
  return [...callbacks, ...slackEndpointsOf(challenges)];
}

/** Those of them that are Slack workspaces. */
export function slackEndpointsOf(challenges: readonly Pick<Sender, 'slack_instance_id'>[]): string[] {
  return challenges.flatMap(({ slack_instance_id }) =>
    slack_instance_id === null ? [] : [slackEndpointOf(slack_instance_id)],
  );
}

/** The endpoint of a Slack workspace. */
export function slackEndpointOf(instanceId: string): string {
  return endpointOf(instanceId, SLACK_URL).endpoint_id;
}

/** The endpoint of a URL; its id follows from the integration and the origin, so that no lookup is needed. Throws for what is no URL. */
export function endpointOf(integrationId: string, url: string): Endpoint {
  if (url === SLACK_URL) return { endpoint_id: namedId(SLACK_URL, integrationId), origin: SLACK_URL };
  const origin = parseUrl(url)?.origin;
  if (origin === undefined || origin === 'null') throw new Error('a callback URL that has no origin');
  return { endpoint_id: namedId(origin, integrationId), origin };
}
