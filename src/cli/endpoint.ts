import type { Db } from '../db/database.ts';
import type { Viewer } from '../deliveries/desk-store.ts';
import { disableEndpoint, enableEndpoint } from '../deliveries/enable.ts';
import { listEndpoints } from '../deliveries/endpoint-store.ts';
import type { SeenEndpoint } from '../deliveries/endpoint-store.ts';
import { presentEndpoint } from '../deliveries/present.ts';
import type { Command } from './command.ts';
import { ACTOR, ID_OPTION, idOf, printable, withDesk } from './desk.ts';

type Shown = ReturnType<typeof presentEndpoint>;

const LIST = 'endpoint list';
const PAGE = 500;

const list: Command = {
  name: LIST,
  summary: 'Show where callbacks go, and how well that works',
  options: {},
  run: (config) =>
    withDesk(config, async ({ db, viewer, now }) => {
      const endpoints = (await listAll(db, viewer)).map((row) => presentEndpoint(row, now()));
      endpoints.sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
      const text = endpoints.length === 0 ? 'No callback was ever sent.' : endpoints.map(shown).join('\n');
      return { json: { endpoints }, text };
    }),
};

const disable: Command = {
  name: 'endpoint disable',
  summary: 'Stop sending callbacks to an endpoint',
  options: { id: ID_OPTION },
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const row = await disableEndpoint(desk, idOf(values, LIST), desk.viewer, ACTOR);
      const endpoint = presentEndpoint(row, desk.now());
      const cure = `Undo: countersign endpoint enable --id ${endpoint.endpoint_id} [--replay]`;
      const meaning = 'Callbacks to it are now dead at once; they can be replayed.';
      return { json: endpoint, text: [shown(endpoint), meaning, cure].join('\n') };
    }),
};

const enable: Command = {
  name: 'endpoint enable',
  summary: 'Send callbacks to an endpoint again',
  options: {
    id: ID_OPTION,
    replay: { type: 'boolean', default: false, help: 'Also send again what died meanwhile for that reason' },
  },
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const id = idOf(values, LIST);
      const wish = { replay: values.replay === true };
      const done = await enableEndpoint(desk, id, desk.viewer, ACTOR, wish);
      const endpoint = presentEndpoint(done.endpoint, desk.now());
      const { replayed, capped } = done;
      const rest = `There are more: countersign delivery replay --endpoint ${id} --yes`;
      const lines = [
        shown(endpoint),
        ...(wish.replay ? [`Sending ${replayed} again.`] : []),
        ...(capped ? [rest] : []),
      ];
      return { json: { ...endpoint, replayed, capped }, text: lines.join('\n') };
    }),
};

export const endpointCommands: Command[] = [list, disable, enable];

async function listAll(db: Db, viewer: Viewer): Promise<SeenEndpoint[]> {
  const all: SeenEndpoint[] = [];
  for (;;) {
    const page = await listEndpoints(db, viewer, { limit: PAGE, after: all.at(-1)?.id });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

function keyOf({ integration_name, origin }: Shown): string {
  return `${integration_name} ${origin}`;
}

function shown(endpoint: Shown): string {
  const { state, open_until, paused_until, disabled_at, disabled_reason, failing_since } = endpoint;
  const until = state === 'open' ? open_until : state === 'paused' ? paused_until : null;
  const why = disabled_at ? ` since ${disabled_at} (${disabled_reason})` : until ? ` until ${until}` : '';
  return [
    `${endpoint.endpoint_id}  ${endpoint.mode}  ${printable(endpoint.integration_name)}  ${endpoint.origin}`,
    `  ${state}${why}; waiting: ${endpoint.pending}; last success: ${endpoint.last_success_at ?? 'never'}`,
    ...(failing_since
      ? [`  failing since ${failing_since}, ${endpoint.consecutive_failures} times in a row`]
      : []),
    ...endpoint.gone_urls.map(({ url, gone_at }) => `  410 Gone since ${gone_at}: ${printable(url)}`),
    ...(endpoint.dead_since_disabled > 0
      ? [`  died meanwhile: ${endpoint.dead_since_disabled}; enable it with --replay to send them again`]
      : []),
  ].join('\n');
}
