import { listTrail } from '../../src/challenges/trail-store.ts';
import { setIdp } from './idp.ts';
import { startOidcIdp } from './oidc-idp.ts';
import { openIdpAt } from './oidc-method.ts';
import { createPerson } from './person.ts';
import { startServer } from './server.ts';
import type { Created, TestServer } from './server.ts';

export type Person = ReturnType<typeof createPerson>;

/** A server whose people sign in at a real IdP, which is another site than this. */
export async function startOidcStory(settings: { [field: string]: string } = {}) {
  const server = await startServer();
  const idp = await startOidcIdp({ redirectUri: `${server.url}/auth/callback/oidc`, host: 'localhost' });
  const set = () => setIdp(server, 'oidc', openIdpAt(idp.issuer, settings).settings, { name: 'Example ID' });
  await set();
  return {
    server,
    idp,
    /** Saves the settings again: nothing that was kept for them counts any more. */
    set,
    /** Somebody is asked. */
    create: (body: object = {}) => server.create({ provider: 'oidc', ...body }),
    async close() {
      await server.close();
      await idp.close();
    },
  };
}

/** Presses Start and goes on; where the person is sent then. */
export async function sendOff(server: TestServer, created: Created, person = createPerson(server)) {
  await person.start(created).expect(303).expect('Location', `/challenge/${created.challenge_id}/continue`);
  return { created, person, url: await sentTo(person, created) };
}

/** Presses the button of the page that says what went wrong; where the person is sent then. */
export async function sendAgain(person: Person, created: Created) {
  await person
    .retry(created)
    .expect(303)
    .expect('Location', /\/continue$/);
  return sentTo(person, created);
}

/** Where the page before the IdP leads to. */
export async function sentTo({ agent }: Person, { challenge_id }: Created): Promise<string> {
  const page = await agent.get(`/challenge/${challenge_id}/continue`).expect(200);
  return /url=(.+)$/.exec(page.headers.refresh ?? '')?.[1] ?? '';
}

/** Brings the browser from the IdP to the callback, and from there to where it is sent if it is let in. */
export async function comeBack({ agent }: Person, back: string) {
  const { pathname, search } = new URL(back);
  const called = await agent.get(pathname + search);
  const location = called.headers.location ?? '';
  const concluded = location.includes('/signed-in') ? await agent.get(location) : undefined;
  return { called, location, concluded };
}

/** Why sign-ins of this challenge did not count, as the audit trail has it. */
export async function refusalsOf({ db }: TestServer, { challenge_id }: Created): Promise<string[]> {
  const trail = await listTrail(db, challenge_id);
  const refusals = trail.filter(({ action }) => action === 'sign_in_refused');
  return refusals.map(({ detail }) => (detail as { reason: string }).reason);
}
