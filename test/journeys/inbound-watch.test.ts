import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { runCli } from '../support/cli.ts';
import { startServer } from '../support/server.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

/** What an operator sees of the providers' door without looking into the log. */
let story: VeriffStory;
beforeAll(async () => {
  story = await startVeriffStory();
});
afterAll(() => story.close());

test('what comes in, what is refused and what becomes of it is counted', async () => {
  const { id, session } = await story.begin();
  await story.veriff.tell(session, 'started');
  story.veriff.behave({ copies: 3 });
  await story.veriff.decide(session, 'approved');
  story.veriff.behave();
  expect(await story.veriff.send({ forged: true }, { secret: 'another' })).toEqual([401]);
  await story.reaches(id, 'verified');
  await story.outcomes(session);

  const { text } = await story.server.request.get('/metrics').expect(200);
  const counted = (labels: string) =>
    Number(new RegExp(`^countersign_${labels} (\\d+)$`, 'm').exec(text)?.[1]);
  expect(counted('inbound_total\\{provider="veriff",result="kept"\\}')).toBe(2);
  expect(counted('inbound_total\\{provider="veriff",result="duplicate"\\}')).toBe(2);
  expect(counted('inbound_total\\{provider="veriff",result="not_authentic"\\}')).toBe(1);
  expect(counted('inbound_handled_total\\{outcome="applied"\\}')).toBe(1);
  expect(counted('inbound_handled_total\\{outcome="recorded"\\}')).toBe(1);
});

test('the doctor hears what was refused in the last hour', async () => {
  const check = async () => {
    const { json } = await runCli(['doctor', '--json'], story.server.settings);
    const checks = json.checks as { name: string; state: string; detail: string }[];
    return checks.find(({ name }) => name === 'webhooks');
  };
  expect(await check()).toMatchObject({ state: 'warn', detail: expect.stringContaining('1 refused') });
  const longAgo = new Date(Date.now() - 3_600_000);
  await story.server.db
    .updateTable('inbox')
    .set({ received_at: longAgo })
    .where('reason', 'is not', null)
    .execute();
  expect(await check()).toMatchObject({ state: 'ok' });
});

test('the doctor also hears of webhooks that nobody handles', async () => {
  const idle = await startServer({ role: 'api' });
  const account = await idle.provider('veriff', story.veriff.settings);
  const body = JSON.stringify({ id: 'nobody', action: 'started', code: 7001 });
  const headers = authHeaders(story.veriff.credentials, body);
  const path = `/webhooks/veriff/${account}`;
  await idle.request.post(path).set(headers).type('json').send(body).expect(200);
  const longAgo = new Date(Date.now() - 3_600_000);
  await idle.db.updateTable('inbox').set({ next_try_at: longAgo }).execute();
  const { code, stdout } = await runCli(['doctor'], idle.settings);
  expect(stdout).toMatch(/^fail +webhooks +1 kept and not handled; is a worker running\?$/m);
  expect(code).toBe(1);
  await idle.close();
});
