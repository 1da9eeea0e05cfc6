import express from 'express';
import type { Request } from 'express';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import samlp from 'samlp';
import type { AuthnRequest } from 'samlp';
import { closeServer } from './oidc-idp.ts';
import { createSigner } from './saml-keys.ts';

/** What it says of everybody who signs in, besides their name. */
type Lies = { attributes?: { [name: string]: string[] }; acr?: string };

/**
 * A real IdP (samlp): whoever enters a name is that person, with any password. It is at home at `localhost`, which to a
 * browser is another site than 127.0.0.1. With a certificate it takes no request that is not signed by its key.
 */
export async function startSamlIdp({ signingCert }: { signingCert?: string } = {}) {
  const signer = createSigner('Acme sign-in');
  const requests: AuthnRequest[] = [];
  let lies: Lies = {};
  const app = express();
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  const issuer = `${url}/entity`;

  const endpoints = { redirectEndpointPath: '/sso', postEndpointPath: '/sso' };
  app.get('/metadata', samlp.metadata({ issuer, cert: signer.cert, ...endpoints }));
  app.get('/sso', async (req, res) => {
    requests.push(await parse(req, { signingCert }));
    res.send(signInPage(req.url, typeof req.query.login_hint === 'string' ? req.query.login_hint : ''));
  });
  app.post('/sso', express.urlencoded({ extended: false }), async (req, res, next) => {
    const request = await parse(req, { signingCert });
    const { login = '', cancel } = req.body as { login?: string; cancel?: string };
    const acs = request.assertionConsumerServiceURL;
    const { RelayState: relayState = '' } = req.query as { RelayState?: string };
    const options = { issuer, ...signer, inResponseTo: request.id, destination: acs, RelayState: relayState };
    if (cancel !== undefined) {
      const error = { code: 'urn:oasis:names:tc:SAML:2.0:status:RequestDenied' };
      const getPostURL = (_: Request, done: (error: null, url: string) => void) => done(null, acs);
      return samlp.sendError({ ...options, error, getPostURL })(req, res, next);
    }
    const xml = await respond({ ...options, audience: request.issuer, recipient: acs }, { login, lies });
    res.send(postPage(acs, Buffer.from(xml).toString('base64'), relayState));
  });

  return {
    url,
    issuer,
    signer,
    metadataUrl: `${url}/metadata`,
    /** Every request to sign somebody in so far. */
    requests,
    /** What it says from now on. */
    lie(next: Lies) {
      lies = next;
    },
    close: () => closeServer(server),
  };
}

export type SamlIdp = Awaited<ReturnType<typeof startSamlIdp>>;

function parse(req: Request, options: object): Promise<AuthnRequest> {
  return new Promise((resolve, reject) => {
    samlp.parseRequest(req, options, (error, request) => (request ? resolve(request) : reject(error)));
  });
}

/** A signed response that names the person by their e-mail address. */
function respond(options: object, { login, lies }: { login: string; lies: Lies }): Promise<string> {
  const profileMapper = () => ({
    getClaims: () => lies.attributes ?? {},
    getNameIdentifier: () => ({
      nameIdentifier: login,
      nameIdentifierFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    }),
  });
  const all = {
    ...options,
    profileMapper,
    signatureAlgorithm: 'rsa-sha256',
    digestAlgorithm: 'sha256',
    lifetimeInSeconds: 300,
    authnContextClassRef: lies.acr ?? 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
  };
  return new Promise((resolve, reject) => {
    samlp.getSamlResponse(all, {}, (error, xml) => (xml === undefined ? reject(error) : resolve(xml)));
  });
}

function signInPage(action: string, hint: string): string {
  return page(`<form method="post" action="${escaped(action)}">
<p><label>E-mail address <input name="login" value="${escaped(hint)}"></label></p>
<p><label>Password <input name="password" type="password"></label></p>
<button>Sign in</button> <button name="cancel">Cancel</button></form>`);
}

/** The page that carries an answer back: browsers that run scripts send it by themselves. */
function postPage(action: string, response: string, relayState: string): string {
  return page(`<form method="post" action="${escaped(action)}">
<input type="hidden" name="SAMLResponse" value="${response}">
<input type="hidden" name="RelayState" value="${escaped(relayState)}">
<button>Continue</button></form><script>document.forms[0].submit()</script>`);
}

function page(body: string): string {
  return `<!DOCTYPE html><html lang="en"><title>Acme sign-in</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><body style="font-family: sans-serif"><h1>Acme sign-in</h1>${body}</body></html>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
