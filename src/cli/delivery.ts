import { setTimeout as sleep } from 'node:timers/promises';
import { listDeliveries } from '../deliveries/desk-store.ts';
import { getDelivery, previewDelivery, resendDelivery } from '../deliveries/desk.ts';
import { cursorOf, parseTest } from '../deliveries/input.ts';
import { presentDelivery, presentDeliveryDetail } from '../deliveries/present.ts';
import { replayDeliveries } from '../deliveries/replay.ts';
import { sendTest } from '../deliveries/test-event.ts';
import { textOf } from './command.ts';
import type { Command } from './command.ts';
import { LIST_OPTIONS, REPLAY_OPTIONS, listQueryOf, replayWishOf } from './delivery-options.ts';
import { attemptLines, listed, replayText, shown } from './delivery-text.ts';
import { ACTOR, ID_OPTION, idOf, printable, withDesk } from './desk.ts';
import type { Desk } from './desk.ts';
import { INTEGRATION_OPTION, integrationOf } from './rotation.ts';

const LIST = 'delivery list';
/** A server sweeps every second, and an attempt takes at most ten. */
const TEST_WAIT_MS = 15_000;
const TEST_POLL_MS = 250;

const list: Command = {
  name: LIST,
  summary: 'Show callbacks, and what was done in Slack, and what became of them, newest first',
  options: LIST_OPTIONS,
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const query = await listQueryOf(desk, values);
      const rows = await listDeliveries(desk.db, desk.viewer, { ...query, limit: query.limit + 1 });
      const page = rows.slice(0, query.limit).map(presentDelivery);
      const last = rows.length > page.length ? page.at(-1) : undefined;
      const next_cursor = last ? cursorOf(last.delivery_id) : null;
      const more = next_cursor ? [`More: add --cursor ${next_cursor}`] : [];
      const text = page.length === 0 ? 'No deliveries.' : [...page.map(listed), ...more].join('\n');
      return { json: { data: page, next_cursor }, text };
    }),
};

const show: Command = {
  name: 'delivery show',
  summary: 'Show one callback with all its attempts',
  options: { id: ID_OPTION },
  run: (config, values) =>
    withDesk(config, async ({ db, viewer }) => {
      const detail = presentDeliveryDetail(await getDelivery(db, idOf(values, LIST), viewer));
      return { json: detail, text: shown(detail) };
    }),
};

const preview: Command = {
  name: 'delivery preview',
  summary: 'Show what would be sent now, without sending it',
  options: { id: ID_OPTION },
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const found = await previewDelivery(desk, idOf(values, LIST), desk.viewer);
      const headers = Object.entries(found.headers).map(([name, value]) => `${name}: ${value}`);
      const text = [`${found.method} ${printable(found.url)}`, ...headers, '', printable(found.body)];
      return { json: found, text: text.join('\n') };
    }),
};

const resend: Command = {
  name: 'delivery resend',
  summary: 'Send one callback again, whatever became of it',
  options: { id: ID_OPTION },
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const sent = await resendDelivery(desk, idOf(values, LIST), desk.viewer, ACTOR);
      const warnings = (sent.warnings ?? []).map((warning) => `Note: ${warning}.`);
      return {
        json: sent,
        text: [...warnings, `A running server sends it within a second. ${lookLater(sent.delivery_id)}`].join(
          '\n',
        ),
      };
    }),
};

const replay: Command = {
  name: 'delivery replay',
  summary: 'Send many callbacks again; only counts them unless --yes is given',
  options: REPLAY_OPTIONS,
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const wish = await replayWishOf(desk, values);
      const done = await replayDeliveries(desk, desk.viewer, wish, ACTOR);
      return { json: done, text: replayText(done) };
    }),
};

const test: Command = {
  name: 'delivery test',
  summary: 'Send a test callback and wait for the answer',
  options: {
    integration: INTEGRATION_OPTION,
    url: { type: 'string', value: 'URL', help: 'Where to (default: the integration’s callback URL)' },
  },
  run: (config, values) =>
    withDesk(config, async (desk) => {
      const integration = await integrationOf(desk.store, desk.tenantId, values);
      const { callback_url } = parseTest({ callback_url: textOf(values, 'url') });
      const tester = { ...integration, integration_id: integration.id };
      const sent = await sendTest(desk, tester, callback_url, ACTOR);
      const detail = presentDeliveryDetail(await firstResult(desk, sent.delivery_id));
      const attempt = detail.attempts.at(-1);
      const result = attempt
        ? [detail.status === 'delivered' ? 'It arrived.' : 'It did not arrive.', ...attemptLines(attempt)]
        : [
            `No attempt within ${TEST_WAIT_MS / 1_000} s: is a server running, and is the endpoint not held up?`,
          ];
      return {
        json: detail,
        text: [...result, lookLater(sent.delivery_id)].join('\n'),
        failed: detail.status !== 'delivered',
      };
    }),
};

export const deliveryCommands: Command[] = [list, show, preview, resend, replay, test];

/** The delivery once its first attempt is on record, or as it stands when the time is up. */
async function firstResult({ db, viewer }: Desk, id: string): ReturnType<typeof getDelivery> {
  const until = performance.now() + TEST_WAIT_MS;
  for (;;) {
    const found = await getDelivery(db, id, viewer);
    if (found.attempts.length > 0 || found.delivery.completed_at || performance.now() > until) return found;
    await sleep(TEST_POLL_MS);
  }
}

function lookLater(id: string): string {
  return `To see what became of it: countersign delivery show --id ${id}`;
}
