import { expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { until } from '../support/until.ts';
import { startVeriffStory } from '../support/veriff-story.ts';

const LIMIT_MS = 120_000;
const SESSIONS = 20;
const LOOKS_AGAIN_MS = 20_000;

test(
  'asked to stop while a provider hangs, with many sessions to ask about: it ends well in time',
  async () => {
    const story = await startVeriffStory();
    const { server, sink, veriff } = story;
    veriff.behave({ lose: true });
    for (let n = 0; n < SESSIONS; n += 1) await story.begin();
    const created = await server.create();

    veriff.behave({ answerAfterMs: 60_000 });
    const past = new Date(Date.now() - 1_000);
    await server.db.updateTable('verification_sessions').set({ next_check_at: past }).execute();
    await until(() => veriff.requests.some(({ method }) => method === 'GET'), 'a question', LOOKS_AGAIN_MS);
    // A click under way, too.
    const pressed = createPerson(server)
      .start(created)
      .then(
        ({ status }) => status,
        () => 'cut off',
      );
    await until(() => veriff.requests.filter(({ method }) => method === 'POST').length > SESSIONS, 'a click');
    const begun = performance.now();
    await server.close();
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect([503, 'cut off']).toContain(await pressed);
    expect(veriff.requests.filter(({ method }) => method === 'GET')).toHaveLength(SESSIONS);
    await veriff.close();
    await sink.close();
  },
  LIMIT_MS,
);
