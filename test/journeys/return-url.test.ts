import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const DONE = 'https://shop.example/done?order=4711#top';

describe('after the end the person is sent back to where they came from', () => {
  let server: TestServer;
  let key: string;
  const allow = async (allowed_domains: string[]) => {
    const tenant = await findFirstTenant(server.db);
    await saveTenantMode(server.db, tenant?.id ?? '', 'test', { allowed_domains });
  };
  /** A person whose challenge ended by what they decided. */
  const through = async (decision: string, body: object = { return_url: DONE }) => {
    const created = await server.create({ ...body }, key);
    const person = createPerson(server);
    await person.start(created).expect(303);
    await person.decide(created, decision).expect(303);
    return { created, person, id: created.challenge_id };
  };
  beforeAll(async () => {
    server = await startServer();
    await allow(['https://shop.example']);
    const rights = { scopes: ['challenges:create', 'challenges:read', 'challenges:erase'], own_only: false };
    key = (await server.integration({ rights })).apiKey;
  });
  afterAll(() => server.close());

  test.each([
    ['approve', 'verified'],
    ['decline', 'failed'],
  ])('when they %s, by a link and by itself, with the id and "%s"', async (decision, status) => {
    const { created, person, id } = await through(decision);
    const page = await person.result(created).expect(200);
    const url = `https://shop.example/done?order=4711&challenge_id=${id}&status=${status}#top`;
    expect(page.headers.refresh).toBe(`20; url=${url}`);
    expect(page.text).toContain(`href="${url.replaceAll('&', '&amp;')}"`);
    expect(page.text).toContain('Return to shop.example');
    expect((await server.read(id)).return_url).toBe(DONE);
  });

  test('when time ran out before they came to the end', async () => {
    const created = await server.create({ return_url: DONE });
    const person = createPerson(server);
    await person.start(created).expect(303);
    expect((await person.result(created)).headers.refresh).toBeUndefined();
    const past = new Date(Date.now() - 1_000);
    await server.db
      .updateTable('challenges')
      .set({ expires_at: past })
      .where('id', '=', created.challenge_id)
      .execute();
    const page = await person.result(created).expect(200);
    expect(page.headers.refresh).toMatch(/^20; url=https:\/\/shop\.example\/.*&status=expired#top$/);
  });

  test('by itself only once: whoever comes back may stay, and report', async () => {
    const { created, person, id } = await through('approve');
    expect((await person.result(created)).headers.refresh).toMatch(/^20;/);
    const again = await person.result(created).expect(200);
    expect(again.headers.refresh).toBeUndefined();
    expect(again.text).toContain('Return to shop.example');
    expect(again.text).toContain('This wasn’t me: report it');

    await person.report(created).expect(303);
    const reported = await person.result(created).expect(200);
    expect(reported.headers.refresh).toBeUndefined();
    expect(reported.text).toContain('Incident reported');
    expect(await server.read(id)).toMatchObject({ status: 'verified', disputed: true });
  });

  test('not by itself for whoever wants to stay, nor in place of a page that is only asked for', async () => {
    const { created, person, id } = await through('approve');
    const result = `/challenge/${id}/result`;
    const asked = await person.agent.get(result).set('Sec-Fetch-Dest', 'empty').expect(200);
    expect(asked.headers.refresh).toBeUndefined();
    // Also in a browser that has not been here before.
    const staying = await person.agent.get(`${result}?stay=1`).expect(200);
    expect(staying.headers.refresh).toBeUndefined();
    expect(staying.text).toContain('Return to shop.example');
    const page = await person.result(created).expect(200);
    expect(page.headers.refresh).toMatch(/^20;/);
    expect(page.text).toContain(`in 20 seconds. <a href="${result}?stay=1">Stay on this page</a>`);
  });

  test('not by itself after a report, though the page is new to the browser', async () => {
    const { created, person } = await through('report');
    const page = await person.result(created).expect(200);
    expect(page.headers.refresh).toBeUndefined();
    expect(page.text).toContain('Return to shop.example');
  });

  test('not from the page of somebody who only holds the link, nor of another browser', async () => {
    const { created } = await through('approve');
    const other = createPerson(server);
    for (const page of [await other.open(created).expect(410), await other.start(created).expect(410)])
      expectNoWayBack(page);
    expectNoWayBack(await other.result(created).expect(403));
  });

  test('not after an erase', async () => {
    const { created, person, id } = await through('approve');
    await server.request.post(`/api/v1/challenges/${id}/erase`).set('X-API-Key', key).expect(200);
    expectNoWayBack(await person.result(created).expect(200));
    expect((await server.read(id)).return_url).toBeNull();
  });

  test('not when none was asked for', async () => {
    const { created, person } = await through('approve', {});
    const page = await person.result(created).expect(200);
    expectNoWayBack(page);
    expect(page.text).toContain('You can close this page.');
  });

  test('not when its domain was taken off the list meanwhile, and again when it is back', async () => {
    const { created, person } = await through('approve');
    await allow(['https://elsewhere.example']);
    expectNoWayBack(await person.result(created).expect(200));
    await allow(['https://shop.example']);
    expect((await person.result(created).expect(200)).headers.refresh).toMatch(/^20;/);
  });

  test.each([
    'https://evil.example/',
    'https://shop.example.evil.example/',
    'https://shop.example@evil.example/',
    'https://shop.example\\@evil.example/',
    '//evil.example/',
    '/\\evil.example',
    'javascript:alert(document.domain)',
    'data:text/html,<script>alert(1)</script>',
    'https://shop.example./',
    'http://shop.example/',
    'https://shop.example:444/',
    'https://shop.example/\r\nLocation: https://evil.example',
    'https://shop.example/\u2028',
  ])('never to %j: it cannot be asked for, and a row that holds it leads nowhere', async (url) => {
    const refused = await server.request
      .post('/api/v1/challenges')
      .set('X-API-Key', key)
      .send({ target_user_email: 'ada@example.com', return_url: url });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ code: 'invalid', field: 'return_url' });

    const { created, person, id } = await through('approve');
    await server.db.updateTable('challenges').set({ return_url: url }).where('id', '=', id).execute();
    expectNoWayBack(await person.result(created).expect(200));
  });

  test('with nothing in the address that becomes a header, a tag or another address', async () => {
    const return_url = `https://shop.example/"><script>alert(1)</script>?x=1;url=https://evil.example&y='"#'">`;
    const { created, person, id } = await through('approve', { return_url });
    const page = await person.result(created).expect(200);
    expect(page.text).not.toContain('<script');
    const [, sent = ''] = /^20; url=(\S+)$/.exec(String(page.headers.refresh)) ?? [];
    expect(new URL(sent).origin).toBe('https://shop.example');
    expect(new URL(sent).searchParams.get('challenge_id')).toBe(id);
  });
});

function expectNoWayBack(page: Response): void {
  expect(page.headers.refresh).toBeUndefined();
  expect(page.text).not.toContain('Return to');
  expect(page.text).not.toContain('shop.example');
  expect(page.text).not.toContain('evil.example');
}
