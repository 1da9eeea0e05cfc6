import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createSealer } from '../../src/kernel/crypto.ts';
import { addCallbackSecret } from '../../src/tenants/keys.ts';
import { checkCallbackSecrets } from '../../src/tenants/seals.ts';
import { openHeaders, sealHeaders } from '../../src/tenants/sending.ts';
import { atOnce } from '../support/at-once.ts';
import { runCli } from '../support/cli.ts';
import { openSinks } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;
type Listed = { secret_id: string; created_at: string; valid_until: string | null; signs: string[] };

let server: TestServer;
const sinks = openSinks();
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
  await sinks.close();
});

const secret = (command: string, integration: string, ...more: string[]) =>
  runCli(['secret', command, '--integration', integration, ...more, '--json'], server.settings);
const list = async (integration: string) => (await secret('list', integration)).json.secrets as Listed[];
const auditOf = async (integrationId: string) => {
  const rows = await server.db.selectFrom('audit_entries').selectAll().orderBy('id').execute();
  return rows.filter(
    ({ detail }) => (detail as { integration_id?: string })?.integration_id === integrationId,
  );
};

describe('callback secrets', () => {
  test('a rotation is listed, kept in the audit trail, and announced to whoever chose it, without any secret', async () => {
    const { integrationId, secret: old } = await server.integration();
    const [sink, own] = [await sinks.open(), await sinks.open()];
    const listener = await server.integration({ callback_url: sink.url });
    for (const id of [listener.integrationId, integrationId])
      await server.db
        .updateTable('integrations')
        .set({ events: ['secret.rotated'], callback_url: id === integrationId ? own.url : sink.url })
        .where('id', '=', id)
        .execute();

    const ran = await secret('rotate', integrationId);
    const made = String(ran.json.webhook_secret);
    const ends = Date.parse(String(ran.json.old_secrets_valid_until));
    expect(Math.abs(ends - Date.now() - 24 * HOUR_MS)).toBeLessThan(60_000);
    const listed = await secret('list', integrationId);
    expect(listed.json.secrets).toMatchObject([
      { secret_id: ran.json.secret_id, valid_until: null, signs: ['webhook-signature'] },
      { valid_until: ran.json.old_secrets_valid_until, signs: ['webhook-signature', 'X-Webhook-Signature'] },
    ]);
    const audit = await auditOf(integrationId);
    const detail = {
      secret_id: ran.json.secret_id,
      old_secrets_valid_until: ran.json.old_secrets_valid_until,
    };
    expect(audit).toMatchObject([{ action: 'secret_rotated', actor: 'cli', challenge_id: null, detail }]);

    const told = await until(() => sink.received[0], 'the announcement');
    expect(told.json).toMatchObject({
      ...{ event_type: 'secret.rotated', mode: 'test', integration_id: integrationId, ...detail },
      event_id: told.headers['webhook-id'],
    });
    expect(own.received).toHaveLength(0);
    for (const shown of [listed.stdout, JSON.stringify(audit), told.body.toString()])
      for (const text of [old, made]) expect(shown).not.toContain(text.replace('whsec_', ''));
  });

  test('one is revoked by its id, and at once', async () => {
    const { integrationId } = await server.integration();
    await secret('rotate', integrationId);
    const [fresh, old] = await list(integrationId);
    const ran = await secret('revoke', integrationId, '--id', old?.secret_id ?? '');
    expect(ran).toMatchObject({ code: 0, json: { revoked: old?.secret_id, live_secrets: 1 } });
    expect(await list(integrationId)).toEqual([
      { ...fresh, signs: ['webhook-signature', 'X-Webhook-Signature'] },
    ]);
    expect((await auditOf(integrationId)).map(({ action }) => action)).toEqual([
      'secret_rotated',
      'secret_revoked',
    ]);
  });

  test('what would leave callbacks unsigned is refused with the cure', async () => {
    const { integrationId } = await server.integration();
    const other = await server.integration();
    const [only] = await list(integrationId);
    const id = only?.secret_id ?? '';
    const last = await secret('revoke', integrationId, '--id', id);
    expect(last).toMatchObject({ code: 2, stderr: expect.stringMatching(/secret rotate --overlap 0/) });
    await secret('rotate', integrationId);
    const [fresh] = await list(integrationId);
    const endless = await secret('revoke', integrationId, '--id', fresh?.secret_id ?? '');
    expect(endless).toMatchObject({ code: 2, stderr: expect.stringMatching(/about to end/) });
    for (const wrong of ['x', (await list(other.integrationId))[0]?.secret_id ?? '']) {
      const unknown = await secret('revoke', integrationId, '--id', wrong);
      expect(unknown).toMatchObject({ code: 2, stderr: expect.stringMatching(/no live secret/) });
    }
    expect((await list(integrationId)).map(({ secret_id }) => secret_id)).toEqual([fresh?.secret_id, id]);
  });

  test('a sixth live secret is refused, and nothing has changed; without an overlap it is taken', async () => {
    const { integrationId } = await server.integration();
    for (let n = 2; n <= 5; n += 1) await addCallbackSecret(server.db, server.sealer, integrationId, `s${n}`);
    const before = await list(integrationId);
    expect(before).toHaveLength(5);
    const sixth = await secret('rotate', integrationId, '--overlap', '7d');
    expect(sixth).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/5 live secrets; use --overlap 0/),
    });
    expect(await list(integrationId)).toEqual(before);
    expect((await secret('rotate', integrationId, '--overlap', '0')).code).toBe(0);
    expect(await list(integrationId)).toHaveLength(1);
  });

  test('of rotations at once, each is made, in one order, and one secret is left without an end', async () => {
    const { integrationId } = await server.integration();
    const ran = await atOnce(
      server.db,
      integrationId,
      [1, 2, 3].map(() => () => secret('rotate', integrationId)),
    );
    expect(ran.map(({ code }) => code)).toEqual([0, 0, 0]);
    const live = await list(integrationId);
    expect(live).toHaveLength(4);
    expect(live.map(({ valid_until }) => valid_until === null)).toEqual([true, false, false, false]);
    const ids = (await auditOf(integrationId)).map(({ detail }) => (detail as Listed).secret_id);
    expect(live.slice(0, 3).map(({ secret_id }) => secret_id)).toEqual(ids.reverse());
  });

  test('five at once stop at five', async () => {
    const { integrationId } = await server.integration();
    const ran = await atOnce(
      server.db,
      integrationId,
      [1, 2, 3, 4, 5].map(() => () => secret('rotate', integrationId)),
    );
    expect(ran.filter(({ code }) => code === 0)).toHaveLength(4);
    expect(await list(integrationId)).toHaveLength(5);
  });

  test('a rotation seals headers anew, so that the old ENCRYPTION_KEY can go', async () => {
    const { integrationId } = await server.integration();
    const headers_sealed = sealHeaders(server.sealer, integrationId, { A: '1' });
    await server.db
      .updateTable('integrations')
      .set({ headers_sealed })
      .where('id', '=', integrationId)
      .execute();
    const key = randomBytes(32);
    const both = {
      ...server.settings,
      ENCRYPTION_KEY: `${key.toString('hex')},${server.settings.ENCRYPTION_KEY}`,
    };
    await runCli(['secret', 'rotate', '--integration', integrationId], both);
    const row = await server.db
      .selectFrom('integrations')
      .select('headers_sealed')
      .where('id', '=', integrationId)
      .executeTakeFirstOrThrow();
    const sealer = createSealer([key]);
    expect(openHeaders(sealer, integrationId, row.headers_sealed)).toEqual({ A: '1' });

    // What start and doctor ask: the newest of each kind.
    const check = () => checkCallbackSecrets({ db: server.db, sealer, stateDir: undefined }, new Date(), 1);
    expect(await check()).toBe(1);
    await server.db
      .updateTable('integrations')
      .set({ headers_sealed })
      .where('id', '=', integrationId)
      .execute();
    await expect(check()).rejects.toThrow(/ENCRYPTION_KEY does not open .* headers/);
  });
});
