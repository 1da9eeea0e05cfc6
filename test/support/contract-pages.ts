import type { Answer } from './contract.ts';
import { createPerson } from './person.ts';
import { setIdp } from './idp.ts';
import { linkOf } from './provider-story.ts';
import type { Created, TestServer } from './server.ts';
import { metadataOf } from './saml-answer.ts';
import { createSigner } from './saml-keys.ts';
import { startSink } from './sink.ts';
import { until } from './until.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';
/** Expects an answer to be as documented. */
type Keeps = (operationId: string, status: number, answer: Answer) => void;

/** The same challenge, as somebody would write it who knows of none. */
function strangerOf(created: Created): Created {
  const verification_url = created.verification_url.replace(created.challenge_id, NOBODY);
  return { ...created, challenge_id: NOBODY, verification_url };
}

/** Looking, pressing Continue, and reporting by the link. `nowhere` is a challenge that nobody can pass. */
export async function driveLink(keeps: Keeps, server: TestServer, nowhere: Created): Promise<void> {
  const created = await server.create();
  const stranger = strangerOf(created);
  const person = createPerson(server);
  const foreign = { 'Sec-Fetch-Site': 'cross-site' };
  const report = (which: Created) => person.agent.get(reportPath(which)).query({ token: tokenOf(which) });
  keeps('showStartPage', 200, await person.open(created));
  keeps('showStartPage', 404, await person.open(stranger));
  keeps('startVerification', 400, await person.press(created).send({ go: 'no' }));
  keeps('startVerification', 403, await person.press(created).set(foreign));
  keeps('startVerification', 404, await person.press(stranger));
  keeps('startVerification', 303, await person.press(created));
  keeps('askToReport', 200, await report(created));
  keeps('askToReport', 404, await report(stranger));
  keeps('reportIncident', 400, await person.reportByLink(created).send({ go: 'no' }));
  keeps('reportIncident', 403, await person.reportByLink(created).set(foreign));
  keeps('reportIncident', 404, await person.reportByLink(stranger));
  keeps('reportIncident', 303, await person.reportByLink(created, 'Not me'));
  keeps('askToReport', 200, await report(created));
  keeps('showStartPage', 410, await person.open(created));
  keeps('startVerification', 410, await person.press(created));
  const declined = await server.create();
  await person.start(declined).expect(303);
  await person.decide(declined, 'decline').expect(303);
  keeps('askToReport', 410, await report(declined));
  keeps('reportIncident', 410, await person.reportByLink(declined));

  const frame = { ...foreign, 'Sec-Fetch-Dest': 'iframe' };
  const framed = await server.create();
  keeps('showStartPage', 403, await person.open(framed).set(frame));
  keeps('askToReport', 403, await report(framed).set(frame));
  keeps('showStartPage', 503, await person.open(nowhere));
  keeps('startVerification', 503, await person.press(nowhere));
  await driveGuesses(keeps, server);
}

async function driveGuesses(keeps: Keeps, server: TestServer): Promise<void> {
  const created = await server.create();
  // An address of its own: what it is refused for must not keep the other tests out.
  const from = { 'X-Forwarded-For': '203.0.113.77' };
  const person = createPerson(server);
  const guess = { ...created, verification_url: `${created.verification_url}x` };
  await until(async () => (await person.open(guess).set(from)).status === 429, 'the address to be refused');
  const report = person.agent.get(reportPath(created)).query({ token: tokenOf(created) });
  keeps('showStartPage', 429, await person.open(created).set(from));
  keeps('startVerification', 429, await person.press(created).set(from));
  keeps('askToReport', 429, await report.set(from));
  keeps('reportIncident', 429, await person.reportByLink(created).set(from));
}

/** What the browser that pressed Continue goes through, up to the sandbox. */
export async function driveSteps(
  keeps: Keeps,
  server: TestServer,
  takeAway: (id: string) => Promise<unknown>,
) {
  const created = await server.create();
  const { challenge_id: id } = created;
  const stranger = strangerOf(created);
  const [person, other] = [createPerson(server), createPerson(server)];
  const foreign = { 'Sec-Fetch-Site': 'cross-site' };
  const page = (name: string, which = id, who = person) => who.agent.get(`/challenge/${which}/${name}`);
  await person.press(created).expect(303);
  keeps('showAnswerPage', 200, await page('answer'));
  keeps('showAnswerPage', 403, await page('answer', id, other));
  keeps('showAnswerPage', 404, await page('answer', NOBODY));
  keeps('sendDeviceFacts', 400, await person.tell(created, []));
  keeps('sendDeviceFacts', 403, await other.tell(created));
  keeps('sendDeviceFacts', 404, await person.tell(stranger));
  keeps('sendDeviceFacts', 413, await person.tell(created, { screen: 'x'.repeat(5_000) }));
  keeps('sendDeviceFacts', 204, await person.tell(created));
  keeps('giveAnswer', 400, await person.answer(created, 'x'.repeat(501)));
  keeps('giveAnswer', 403, await person.answer(created).set(foreign));
  keeps('giveAnswer', 404, await person.answer(stranger));
  keeps('giveAnswer', 303, await person.answer(created, 'I travel'));
  keeps('retryVerification', 400, await person.retry(created).send({ go: 'no' }));
  keeps('concludeSignIn', 303, await page('signed-in?ticket=none'));
  keeps('concludeSignIn', 403, await page('signed-in?ticket=none', id, other));
  keeps('concludeSignIn', 404, await page('signed-in?ticket=none', NOBODY));
  keeps('askToReportHere', 200, await page('report'));
  keeps('askToReportHere', 403, await page('report', id, other));
  keeps('askToReportHere', 404, await page('report', NOBODY));
  keeps('reportIncidentHere', 400, await person.report(created).send({ go: 'no' }));
  keeps('reportIncidentHere', 403, await other.report(created));
  keeps('reportIncidentHere', 404, await person.report(stranger));
  keeps('reportIncidentHere', 303, await person.report(created));
  keeps('askToReportHere', 303, await page('report'));
  keeps('showAnswerPage', 303, await page('answer'));
  keeps('sendDeviceFacts', 204, await person.tell(created));
  const silent = await server.create();
  await person.press(silent).expect(303);
  await person.report(silent).expect(303);
  keeps('sendDeviceFacts', 409, await person.tell(silent));

  const lost = await server.create();
  await person.press(lost).expect(303);
  await takeAway(lost.challenge_id);
  keeps('showAnswerPage', 503, await page('answer', lost.challenge_id));
  keeps('giveAnswer', 503, await person.answer(lost));
  keeps('showResult', 503, await page('result', lost.challenge_id));
}

/** The callbacks of IdPs, with answers that say no. `tenant` has no IdP yet. */
export async function driveCallbacks(
  keeps: Keeps,
  server: TestServer,
  { apiKey, tenant_id }: { apiKey: string; tenant_id: string },
): Promise<void> {
  const idp = await startSink((response, { path }) => {
    const at = (rest: string) => `${idp.url.replace(/\/[^/]*$/, '')}/${rest}`;
    const issuer = new URL(idp.url).origin;
    const metadata = { issuer, authorization_endpoint: at('authorize'), token_endpoint: at('token') };
    const more = {
      jwks_uri: at('jwks'),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
    };
    response.setHeader('content-type', 'application/json');
    response.end(path.includes('openid-configuration') ? JSON.stringify({ ...metadata, ...more }) : '{}');
  });
  const issuer = new URL(idp.url).origin;
  const own = { tenant_id };
  await setIdp(server, 'oidc', { issuer, client_id: 'c', client_secret: 's', scopes: 'openid' }, own);
  await setIdp(
    server,
    'saml',
    { metadata_xml: metadataOf([createSigner()], { signInUrl: `${issuer}/sso` }) },
    own,
  );
  const person = createPerson(server);
  const begin = async (provider: string, name: string) => {
    const created = await server.create({ provider }, apiKey);
    await person.start(created).expect(303);
    const onward = await person.agent.get(`/challenge/${created.challenge_id}/continue`).expect(200);
    return new URL(linkOf(onward.text)).searchParams.get(name) ?? '';
  };
  const state = await begin('oidc', 'state');
  const oidc = (query: object) => person.agent.get('/auth/callback/oidc').query(query);
  keeps('finishOidc', 303, await oidc({ state, error: 'access_denied' }));
  keeps('finishOidc', 404, await oidc({ state: 'unknown' }));
  // At another one's path an answer counts for nothing.
  const elsewhere = (query: object) => person.agent.get(`/auth/callback/oidc/${NOBODY}`).query(query);
  keeps('finishOwnOidc', 303, await elsewhere({ state }));
  keeps('finishOwnOidc', 404, await elsewhere({ state: 'unknown' }));
  const RelayState = await begin('saml', 'RelayState');
  const saml = (fields: object) => person.agent.post('/saml/acs').type('form').send(fields);
  keeps('finishSaml', 303, await saml({ RelayState, SAMLResponse: 'nonsense' }));
  keeps('finishSaml', 404, await saml({ RelayState: 'unknown', SAMLResponse: 'nonsense' }));
  keeps('finishSaml', 413, await saml({ RelayState, SAMLResponse: 'x'.repeat(300_000) }));
  keeps('getSamlMetadata', 200, await person.agent.get('/saml/metadata').buffer(true));
  await idp.close();
}

function reportPath({ challenge_id }: Created): string {
  return `/challenge/start/${challenge_id}/report`;
}

function tokenOf({ verification_url }: Created): string {
  return new URL(verification_url).searchParams.get('token') ?? '';
}
