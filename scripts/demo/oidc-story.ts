import { idpCommands } from '../../src/cli/idp.ts';
import type { Values } from '../../src/cli/command.ts';
import type { Config } from '../../src/config.ts';
import { CLIENT, startOidcIdp } from '../../test/support/oidc-idp.ts';
import { createVisitor as createBrowser } from '../../test/support/oidc-visitor.ts';
import { isSigned, partsOf } from '../../test/support/proofs.ts';
import type { Jwk } from '../../test/support/proofs.ts';
import { startSink } from '../../test/support/sink.ts';
import { addWord, askAndOpen, CLICK, linkOf, receiveCallback, resultPage, startServer } from './chapters.ts';
import { createDesk } from './desk.ts';
import { check } from './steps.ts';
import type { Stage } from './stories.ts';
import { createVisitor, headingOf } from './visitor.ts';

const NAME = 'Example ID';
const CALLBACK = '/auth/callback/oidc';

/** From request to signed proof, with a real OpenID provider on this machine. */
export async function oidcStory(stage: Stage): Promise<void> {
  const { step } = stage;
  const { server, config } = await startServer(stage);
  const { idp, sink } = await startOthers(stage, server.url + CALLBACK);
  const desk = createDesk(server);
  const visitor = createVisitor();

  await step('The operator sets the IdP up, for test mode', async (tell) => {
    const { client_id, client_secret } = CLIENT;
    const entered = { issuer: idp.issuer, 'client-id': client_id, 'client-secret': client_secret };
    const { set_up } = await run<{ set_up: string[] }>('idp set oidc', config, { name: NAME, ...entered });
    const line = set_up.find((one) => one.includes('Redirect URI:')) ?? '';
    check(line.endsWith(server.url + CALLBACK), 'it does not say where the IdP is to send people back to');
    tell('countersign idp set oidc … says what to enter at the IdP:');
    tell(line.trim().replaceAll(/ +/g, ' '));
  });

  await step('The operator tries it out', async (tell) => {
    const { findings } = await run<{ findings: Finding[] }>('idp test oidc', config);
    const of = (state: string) => findings.filter((one) => one.state === state);
    check(of('fail').length === 0, `it finds: ${of('fail')[0]?.detail}`);
    tell(`countersign idp test oidc: ${of('ok').length} ok, ${of('warn').length} to look at, none wrong`);
  });

  const wish = { provider: 'oidc', callback_url: sink.url };
  const { id, answerPage } = await askAndOpen(stage, { desk, visitor }, wish);

  /** Signs in at the IdP with a name, and comes back to the page that it leads to. */
  const signIn = async (url: string, login: string) =>
    headingOf((await visitor.follow(await createBrowser().signIn(url, login))).html);

  await step('Somebody else signs in, with an account of the same company', async (tell) => {
    const heading = await signIn(await addWord({ visitor }, answerPage), 'eve@example.com');
    tell(`"${heading}"; it is still ${await desk.expectStatus(id, 'in-progress')}`);
  });

  await step('The person signs in, anew and after the click', async (tell) => {
    const onward = await visitor.submit(resultPage(server, id).replace(/result$/, 'retry'), CLICK);
    const heading = await signIn(linkOf(await visitor.open(onward)), 'ada@example.com');
    check(heading === 'Identity verified', `the page says "${heading}"`);
    tell(`"${heading}"; it is ${await desk.expectStatus(id, 'verified')}`);
  });

  await receiveCallback(stage, server, sink, id);

  await step('The help desk keeps the proof; it holds against the public keys', async (tell) => {
    const { proof, jwks_url } = await desk.prove(id);
    const { keys } = (await (await fetch(jwks_url)).json()) as { keys: Jwk[] };
    check(isSigned(proof, keys), 'the proof does not hold');
    const { header, claims } = partsOf(proof);
    const forged = Buffer.from(JSON.stringify({ ...claims, target_user_email: 'eve@example.com' }));
    const [head, , signature] = proof.split('.');
    check(!isSigned([head, forged.toString('base64url'), signature].join('.'), keys), 'a changed one holds');
    const { status, target_user_email, subject_match } = claims;
    check(status === 'verified' && subject_match === 'email', `the proof says ${String(status)}`);
    tell(`GET /api/v1/challenges/…/proof: ${proof.length} characters, signed with ${String(header.alg)}`);
    tell(
      `${String(target_user_email)} is ${status}, known by ${subject_match}, at ${String(claims.auth_time)}`,
    );
  });
}

type Finding = { state: string; detail: string };

/** What a command answers for programs. */
async function run<T>(name: string, config: Config, values: Values = {}): Promise<T> {
  const answer = await idpCommands.find((one) => one.name === name)?.run(config, { mode: 'test', ...values });
  check(answer !== undefined, `there is no command ${name}`);
  return answer.json as T;
}

/** Those it speaks to. */
function startOthers({ step, onClose }: Stage, redirectUri: string) {
  return step('An OpenID provider and the help desk start', async (tell) => {
    const [idp, sink] = await Promise.all([startOidcIdp({ redirectUri, host: 'localhost' }), startSink()]);
    onClose(() => idp.close());
    onClose(() => sink.close());
    tell(`people sign in at ${idp.issuer}; the help desk takes callbacks at ${sink.url}`);
    return { idp, sink };
  });
}
