import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runCli } from '../support/cli.ts';
import { createVisitor } from '../support/oidc-visitor.ts';
import { comeBack, sendOff, startOidcStory } from '../support/oidc-story.ts';

let story: Awaited<ReturnType<typeof startOidcStory>>;
beforeAll(async () => {
  story = await startOidcStory();
});
afterAll(() => story.close());

const cli = (...args: string[]) => {
  const { settings, url } = story.server;
  return runCli(args, { ...settings, PUBLIC_URL: url });
};
/** What is found of a list that most IdPs do not publish. */
async function anew() {
  const { stdout } = await cli('idp', 'test', 'oidc');
  return /^\w+ +Signing in anew +.*$/m.exec(stdout)?.[0];
}
async function doctorOnSignIn() {
  const { checks } = (await cli('doctor', '--json')).json as { checks: { name: string }[] };
  return checks.find(({ name }) => name === 'sign-in');
}

test('what only may be wrong is right once somebody was verified there, until the settings change', async () => {
  expect(await anew()).toMatch(/^warn .*no prompt_values_supported/);
  expect(await doctorOnSignIn()).toMatchObject({ state: 'warn' });

  const { person, url } = await sendOff(story.server, await story.create());
  const { concluded } = await comeBack(person, await createVisitor().signIn(url, 'ada@example.com'));
  expect(concluded?.status).toBe(303);
  expect(await anew()).toMatch(
    /^ok .*prompt_values_supported.* Somebody was verified all the same \(20.*Z\)\.$/,
  );
  expect(await doctorOnSignIn()).toMatchObject({
    state: 'ok',
    detail: '1 IdP(s), and nothing wrong with them',
  });
  const { findings } = (await cli('idp', 'test', 'oidc', '--json')).json as { findings: object[] };
  for (const finding of findings) expect(Object.keys(finding)).toEqual(['state', 'name', 'detail']);

  await story.set();
  expect(await anew()).toMatch(/^warn /);
});
