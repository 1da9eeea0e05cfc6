import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { sealHeaders } from '../../src/tenants/sending.ts';
import { deliveriesOf, makeDue, openSinks, settle } from '../support/deliveries.ts';
import { auditOf, createDesk, metricOf } from '../support/desk.ts';
import type { Delivery } from '../support/desk.ts';
import { expectRefusal } from '../support/refusal.ts';
import { BACKENDS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

type Resent = Delivery & { resend_of: string; warnings?: string[] };
type Preview = { method: string; url: string; headers: Record<string, string>; body: string };

const RESENT = 'countersign_replays_total';
const sinks = openSinks();
afterAll(() => sinks.close());

describe.each(BACKENDS)('on %s', (backend) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ backend });
  });
  afterAll(() => server.close());

  test('an event is sent again, the same bytes under the same id, and the old record stays as it was', async () => {
    const desk = createDesk(server);
    const sink = await sinks.open();
    const id = await settle(server, { callback_url: sink.url });
    const first = await sink.waitFor(id);
    const [old] = await until(async () => {
      const found = await desk.list({ challenge_id: id });
      return found[0]?.status === 'delivered' && found;
    }, 'the first delivery to be written');
    const before = await desk.read(old?.delivery_id ?? '');

    const answer = await desk.post(`/${before.delivery_id}/resend`).expect(202);
    const resent = answer.body as Resent;
    expect(resent).toEqual({
      delivery_id: expect.any(String),
      event_id: before.event_id,
      endpoint_id: before.endpoint_id,
      resend_of: before.delivery_id,
      warnings: ['it was delivered before'],
    });
    expect(answer.headers.location).toBe(`/api/v1/deliveries/${resent.delivery_id}`);
    const second = await sink.waitFor(id, 2);
    expect(second.body.equals(first.body)).toBe(true);
    expect(second.headers).toMatchObject({
      'webhook-id': first.headers['webhook-id'],
      'countersign-delivery': resent.delivery_id,
      'countersign-attempt': '1',
    });
    await until(
      async () => (await desk.read(resent.delivery_id)).status === 'delivered',
      'the resend to be delivered',
    );
    expect(await desk.read(resent.delivery_id)).toMatchObject({ trigger: 'resend', attempt_count: 1 });
    expect(await desk.read(before.delivery_id)).toEqual(before);
  });
});

describe('without a worker', () => {
  let server: TestServer;
  let desk: ReturnType<typeof createDesk>;
  beforeAll(async () => {
    server = await startServer({ role: 'api' });
    desk = createDesk(server);
  });
  afterAll(() => server.close());
  const resend = (id: string, body?: object | string) => desk.post(`/${id}/resend`, body);

  test('twice in a row, each is a delivery of its own, audited and counted', async () => {
    const { delivery_id, event_id, endpoint_id, challenge_id } = await desk.make();
    const counted = await metricOf(server, RESENT);
    const first = (await resend(delivery_id).expect(202)).body as Resent;
    const second = (await resend(delivery_id, {}).expect(202)).body as Resent;
    expect(first.delivery_id).not.toBe(second.delivery_id);
    expect(first.warnings).toBeUndefined();
    const rows = await desk.ofEvent(event_id);
    expect(rows.map(({ trigger, status, lane }) => [trigger, status, lane])).toEqual([
      ['event', 'dead', 0],
      ['resend', 'pending', 1],
      ['resend', 'pending', 1],
    ]);
    expect(rows.map((row) => [row.endpoint_id, row.url])).toEqual(
      rows.map(() => [endpoint_id, rows[0]?.url]),
    );
    expect(await metricOf(server, RESENT)).toBe(counted + 2);
    const [entry] = await auditOf(server.db, 'delivery_resent');
    expect(entry).toMatchObject({
      challenge_id,
      actor: `api_key:${server.apiKey.slice(0, 12)}`,
      detail: { delivery_id, resent_as: second.delivery_id },
    });
  });

  test('a resend counts its age from now, however old its event is', async () => {
    const { delivery_id, event_id } = await desk.make();
    const long_ago = new Date('2020-01-01T00:00:00Z');
    await server.db.updateTable('events').set({ occurred_at: long_ago }).where('id', '=', event_id).execute();
    await resend(delivery_id).expect(202);
    const [, resent] = await desk.ofEvent(event_id);
    expect(resent?.created_at.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  test('what still waits may be sent again too, and goes on waiting', async () => {
    const { delivery_id, event_id } = await desk.make({ status: 'pending' });
    const [before] = await desk.ofEvent(event_id);
    await resend(delivery_id).expect(202);
    expect((await desk.ofEvent(event_id))[0]).toEqual(before);
  });

  test('a resend can be sent again itself', async () => {
    const { delivery_id, event_id } = await desk.make();
    const first = (await resend(delivery_id).expect(202)).body as Resent;
    await resend(first.delivery_id).expect(202);
    expect(await desk.ofEvent(event_id)).toHaveLength(3);
  });

  test('without a body there is nothing to send or to show, and the sentence says when and why', async () => {
    const { delivery_id, event_id, challenge_id } = await desk.make();
    await desk.deleteBody(event_id);
    expect(await desk.read(delivery_id)).toMatchObject({ body_deleted: true });
    const ended = (await desk.ofEvent(event_id))[0]?.completed_at?.toISOString() ?? 'never';
    for (const answer of [await resend(delivery_id), await desk.get(`/${delivery_id}/preview`)]) {
      expectRefusal(answer, 410, { code: 'gone' });
      expect(answer.text).toContain(ended);
      expect(answer.text).toContain('BODY_RETENTION_DAYS');
    }
    const erased_at = new Date('2026-03-01T00:00:00Z');
    await server.db.updateTable('challenges').set({ erased_at }).where('id', '=', challenge_id).execute();
    const answer = await resend(delivery_id);
    expectRefusal(answer, 410, { code: 'gone' });
    expect(answer.text).toMatch(/deleted at 2026-03-01T00:00:00.000Z.*personal data/);
    expect(await desk.ofEvent(event_id)).toHaveLength(1);
  });

  test('nothing goes to a disabled endpoint or a gone URL, and the sentence says how to enable it', async () => {
    const { delivery_id, event_id, endpoint_id } = await desk.make({ callback_url: 'http://127.0.0.1:11/' });
    const cure = new RegExp(`/api/v1/endpoints/${endpoint_id}/enable`);
    const { db } = server;
    await db
      .insertInto('gone_urls')
      .values({ endpoint_id, url: 'http://127.0.0.1:11/', gone_at: new Date() })
      .execute();
    const gone = await resend(delivery_id);
    expectRefusal(gone, 409, { code: 'conflict', error: expect.stringMatching(cure) as unknown as string });
    expect(gone.text).toContain('410 Gone');
    await db.deleteFrom('gone_urls').execute();
    await db
      .updateTable('endpoints')
      .set({ disabled_at: new Date(), disabled_reason: 'failing' })
      .where('id', '=', endpoint_id)
      .execute();
    const disabled = await resend(delivery_id);
    expectRefusal(disabled, 409, {
      code: 'conflict',
      error: expect.stringMatching(cure) as unknown as string,
    });
    expect(await desk.ofEvent(event_id)).toHaveLength(1);
    await desk.get(`/${delivery_id}/preview`).expect(200);
  });

  test.each([
    ['{', 400, 'invalid'],
    ['[]', 400, 'invalid'],
    ['{"url":"http://127.0.0.1/"}', 400, 'invalid'],
    [`"${'x'.repeat(70_000)}"`, 413, 'too_large'],
  ])('a body such as %.30s is refused', async (body, status, code) => {
    const { delivery_id, event_id } = await desk.make();
    const answer = await resend(delivery_id, body);
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([status, code]);
    expect(await desk.ofEvent(event_id)).toHaveLength(1);
  });

  test('a preview without a valid secret says how to make one', async () => {
    const { apiKey, integrationId } = await server.integration();
    const { delivery_id } = await desk.make({ apiKey });
    await server.db.deleteFrom('callback_secrets').where('integration_id', '=', integrationId).execute();
    const answer = await desk.get(`/${delivery_id}/preview`, apiKey);
    expectRefusal(answer, 409, { code: 'conflict' });
    expect(answer.text).toContain('countersign secret rotate');
  });
});

describe('with a worker', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  test('a preview shows what is then sent, but for the time and the values of extra headers', async () => {
    const desk = createDesk(server);
    const sink = await sinks.open((response, _received, count) => {
      response.statusCode = count === 1 ? 503 : 200;
      response.end();
    });
    const { apiKey, secret, integrationId } = await server.integration({ callback_url: sink.url });
    const headers = { 'X-Tenant-Token': 'very secret' };
    await server.db
      .updateTable('integrations')
      .set({ headers_sealed: sealHeaders(server.sealer, integrationId, headers), retry_waits_s: [3_600] })
      .where('id', '=', integrationId)
      .execute();
    const id = await settle(server, {}, apiKey);
    await sink.waitFor(id);
    await until(
      async () => (await deliveriesOf(server.db, id))[0]?.attempts === 1,
      'the first attempt to be written down',
    );
    const [delivery] = await deliveriesOf(server.db, id);
    const answer = await desk.get(`/${delivery?.id}/preview`, apiKey).expect(200);
    const preview = answer.body as Preview;
    expect(answer.text).not.toContain('very secret');

    await makeDue(server.db, delivery?.id ?? '');
    const sent = await sink.waitFor(id, 2);
    expect([preview.method, preview.url, preview.body]).toEqual([
      sent.method,
      new URL(sent.path, sink.url).href,
      sent.body.toString(),
    ]);
    const { host: _host, connection: _connection, 'user-agent': _agent, ...rest } = sent.headers;
    const { 'content-length': _length, 'x-tenant-token': token, ...received } = rest;
    const { 'x-tenant-token': hidden, ...shown } = preview.headers;
    expect([hidden, token]).toEqual(['***', 'very secret']);
    const timed = ['webhook-timestamp', 'webhook-signature'];
    for (const name of timed) expect(typeof shown[name]).toBe(typeof received[name]);
    const untimed = (all: object) =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !timed.includes(name)));
    expect(untimed(shown)).toEqual(untimed(received));
    expect(shown['x-webhook-signature']).toBe(`sha256=${hmacHex(secret, preview.body)}`);
  });
});
