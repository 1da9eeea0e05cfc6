import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { openBrowser, picture } from '../support/browser.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS } from '../support/server.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

const ATTEMPTS = 3;

describe.each(BACKENDS)('a person whose attempt did not work, queue on %s', (backend) => {
  let story: VeriffStory;
  const sessionsOf = (id: string) => story.veriff.sessions.filter((one) => one.vendorData === id);
  const runsOf = (id: string) =>
    story.server.db.selectFrom('verification_sessions').select('id').where('challenge_id', '=', id).execute();
  /** A person who was declined once and has come back. */
  const declined = async () => {
    const begun = await story.begin();
    await story.veriff.decide(begun.session, 'declined');
    await story.outcomes(begun.session);
    return begun;
  };
  beforeAll(async () => {
    story = await startVeriffStory(backend);
    const tenant = await findFirstTenant(story.server.db);
    await saveTenantMode(story.server.db, tenant?.id ?? '', 'test', { provider_attempts: ATTEMPTS });
  });
  afterEach(() => story.veriff.behave());
  afterAll(() => story.close());

  test('may try again by a button, until it works', async () => {
    const { id, created, person } = await declined();
    const page = await person.result(created).expect(200);
    expect(page.text).toContain('That did not work');
    expect(page.text).toContain('You can try again: 2 of 3 attempts left.');
    expect(page.text).toContain(`<form method="post" action="/challenge/${id}/retry">`);
    expect(page.headers.refresh).toBeUndefined();

    await person
      .retry(created)
      .expect(303)
      .expect('Location', /\/continue$/);
    const second = await story.veriff.sessionOf(id);
    expect(sessionsOf(id)).toHaveLength(2);
    expect((await person.agent.get(`/challenge/${id}/continue`).expect(200)).text).toContain(second.url);
    const waiting = (await person.result(created)).text;
    expect(waiting).toContain('Waiting for the result');
    // Veriff has led the person back, so there is nothing to go on with.
    expect(waiting).not.toContain('/continue');

    await story.veriff.decide(second, 'abandoned');
    await story.outcomes(second);
    expect((await person.result(created)).text).toContain('1 of 3 attempts left.');
    await person.retry(created).expect(303);
    await story.veriff.decide(await story.veriff.sessionOf(id), 'approved');
    await story.reaches(id, 'verified');
    const end = await person.result(created).expect(200);
    expect(end.text).toContain('Identity verified');
    expect(end.text).not.toContain('try again');
    expect(sessionsOf(id)).toHaveLength(3);
  });

  test('sees how it ended once the last attempt is spent, and a click then begins nothing', async () => {
    const { id, created, person } = await declined();
    for (let attempt = 2; attempt <= ATTEMPTS; attempt++) {
      await person
        .retry(created)
        .expect(303)
        .expect('Location', /\/continue$/);
      const session = await story.veriff.sessionOf(id);
      await story.veriff.decide(session, 'declined');
      await story.outcomes(session);
    }
    await story.reaches(id, 'failed');
    const page = await person.result(created).expect(200);
    expect(page.text).toContain('Identity not verified');
    expect(page.text).not.toContain('<button');
    await person.retry(created).expect(303).expect('Location', 'result');
    expect(sessionsOf(id)).toHaveLength(ATTEMPTS);
  });

  test('begins one run, though they press again and again', async () => {
    const { id, created, person } = await declined();
    await Promise.all([1, 2, 3].map(() => person.retry(created).expect(303)));
    await person
      .retry(created)
      .expect(303)
      .expect('Location', /\/continue$/);
    expect(sessionsOf(id)).toHaveLength(2);
  });

  test('begins none by looking: a GET changes nothing', async () => {
    const { id, created, person } = await declined();
    for (const path of ['continue', 'result']) {
      await person.agent.head(`/challenge/${id}/${path}`);
      await person.agent.get(`/challenge/${id}/${path}`);
    }
    await person.agent.get(`/challenge/${id}/retry`).expect(405).expect('Allow', 'POST');
    await person.agent.get(`/challenge/${id}/continue`).expect(303).expect('Location', 'result');
    expect(sessionsOf(id)).toHaveLength(1);
    expect((await person.result(created)).text).toContain('2 of 3 attempts left.');
  });

  test('begins none by another browser, another site, or without a challenge', async () => {
    const { id, created, person } = await declined();
    await createPerson(story.server).retry(created).expect(403);
    await person.retry(created).set('Sec-Fetch-Site', 'cross-site').expect(403);
    await person.retry(created).set('Sec-Fetch-Site', 'same-site').expect(403);
    await person.agent.post('/challenge/01a1f80c-66f3-757c-8473-8105b057d432/retry').expect(404);
    await person.agent.post('/challenge/x/retry').expect(404);
    expect(sessionsOf(id)).toHaveLength(1);
  });

  test('keeps the attempt when the provider is away, and the button is still there', async () => {
    const { id, created, person } = await declined();
    story.veriff.behave({ answers: 'hang up' });
    const away = await person.retry(created).expect(503);
    expect(away.text).toContain('does not answer just now');
    expect((await person.result(created)).text).toContain('2 of 3 attempts left.');
    story.veriff.behave();
    await person
      .retry(created)
      .expect(303)
      .expect('Location', /\/continue$/);
    expect(await runsOf(id)).toHaveLength(2);
  });

  test('goes on from the result page when the very first session could not be opened', async () => {
    const created = await story.server.create();
    const person = createPerson(story.server);
    story.veriff.behave({ answers: 'hang up' });
    await person.start(created).expect(503);
    const page = await person.result(created).expect(200);
    expect(page.text).toContain('Continue with Veriff');
    expect(page.text).not.toContain('That did not work');
    story.veriff.behave();
    await person
      .retry(created)
      .expect(303)
      .expect('Location', /\/continue$/);
    expect(await runsOf(created.challenge_id)).toHaveLength(1);
  });

  test('comes too late past the deadline', async () => {
    const { id, created, person } = await declined();
    const past = new Date(Date.now() - 1_000);
    await story.server.db.updateTable('challenges').set({ expires_at: past }).where('id', '=', id).execute();
    await person.retry(created).expect(303).expect('Location', 'result');
    expect((await person.result(created)).text).toContain('This request has expired');
    expect(sessionsOf(id)).toHaveLength(1);
  });

  test('has nothing to repeat in the sandbox', async () => {
    const created = await story.server.create({ provider: 'sandbox' });
    const person = createPerson(story.server);
    await person.start(created).expect(303).expect('Location', `/challenge/${created.challenge_id}/sandbox`);
    await person
      .retry(created)
      .expect(303)
      .expect('Location', /\/sandbox$/);
    expect((await person.result(created)).text).not.toContain('attempts left');
    await person.decide(created, 'decline').expect(303);
    await story.reaches(created.challenge_id, 'failed');
    expect(sessionsOf(created.challenge_id)).toHaveLength(0);
  });
});

describe('in a real browser', () => {
  let story: VeriffStory;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    [story, browser] = await Promise.all([startVeriffStory(), openBrowser()]);
    const tenant = await findFirstTenant(story.server.db);
    await saveTenantMode(story.server.db, tenant?.id ?? '', 'test', { provider_attempts: ATTEMPTS });
  });
  afterAll(async () => {
    await browser.close();
    await story.close();
  });

  test.each([
    ['phone-light', 375, 'light'],
    ['desktop-dark', 1280, 'dark'],
  ] as const)(
    'a person is declined, tries again and is verified, on %s',
    async (name, width, colorScheme) => {
      const created = await story.server.create();
      const { page, complaints } = await browser.newPage({ viewport: { width, height: 760 }, colorScheme });
      await page.goto(created.verification_url);
      await page.getByRole('button', { name: /Continue/ }).click();
      await page.getByLabel('Your words').waitFor();
      await page.getByRole('button', { name: /Continue/ }).click();
      await page.getByRole('button', { name: 'declined failed', exact: true }).click();
      await page.getByText('2 of 3 attempts left').waitFor();
      await picture(page, `retry-${name}-1-again`);
      await page.getByRole('button', { name: 'Try again with Veriff' }).click();
      await page.getByRole('button', { name: 'approved verified', exact: true }).click();
      await page.getByRole('heading', { name: 'Identity verified' }).waitFor();
      expect((await story.server.read(created.challenge_id)).status).toBe('verified');
      expect(complaints).toEqual([]);
    },
  );
});
