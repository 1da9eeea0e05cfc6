import { invalid } from '../kernel/errors.ts';
import { isWebUrl } from './call.ts';
import { isToken } from './json.ts';
import { fetchReport, findIdentities } from './passbase-identities.ts';
import { linkFor, newPrivateKey, publicKeyOf, readPrivateKey } from './passbase-link.ts';
import { openWebhook, readWebhook } from './passbase-webhook.ts';
import type { Provider, Settings } from './provider.ts';

const SECRET_BYTES = 32;
const MIN_KEY_BITS = 2_048;

/**
 * Passbase: a hosted link made here, encrypted webhooks that only hint, and identities that are asked for. Its service
 * has ended; this follows what it documented and published.
 */
export const passbase: Provider = {
  label: 'Passbase',
  fields: {
    api_key: { help: 'Secret API key of the project (Passbase dashboard → Developers → API Settings)' },
    webhook_secret: {
      help: 'The 32 characters that webhooks are encrypted with (same place → Webhooks)',
    },
    slug: { help: 'Last part of the project’s hosted link: acme of https://verify.passbase.com/acme' },
    private_key: {
      help: 'RSA private key for the metadata of links, as PEM',
      file: true,
      generate: newPrivateKey,
    },
    base_url: {
      help: 'Where Passbase’s API is',
      fallback: 'https://api.passbase.com/verification/v2',
      called: true,
    },
    verify_url: { help: 'Where people are sent', fallback: 'https://verify.passbase.com' },
  },
  addresses: [],
  // A link has no place for an address to return to.
  comesBack: false,
  checkSettings,

  setUp: (webhookUrl, { private_key = '' }) => [
    'Enter this as the webhook URL at Passbase:',
    `  ${webhookUrl}`,
    'Switch encryption on there, with the same 32-character secret: webhooks in the clear are refused.',
    'Paste this public key where Passbase asks for the key of metadata; without it no result finds its challenge:',
    ...publicKeyOf(private_key).split('\n'),
  ],

  // Nothing is created at Passbase before the person is there, so its id for the session is not known yet.
  startSession: ({ challengeId, runId }, settings) =>
    Promise.resolve({ sessionId: undefined, url: linkFor(challengeId, settings, runId) }),

  openWebhook,
  readWebhook,
  fetchReport: ({ sessionId }, settings, http) => fetchReport(sessionId, settings, http),
  findSessions: findIdentities,
};

function checkSettings(settings: Settings, mode: 'test' | 'live'): void {
  const { api_key = '', webhook_secret = '', slug = '', private_key = '', verify_url = '' } = settings;
  if (!isToken(api_key)) {
    throw invalid('An API key is one line without spaces. Copy it from Passbase once more.', 'api_key');
  }
  const bytes = Buffer.byteLength(webhook_secret);
  if (bytes !== SECRET_BYTES) {
    throw invalid(
      `The webhook secret has ${bytes} bytes; Passbase encrypts with exactly ${SECRET_BYTES}. Enter it as it stands there.`,
      'webhook_secret',
    );
  }
  if (!/^[\w.~-]+$/.test(slug) || /^\.+$/.test(slug)) {
    throw invalid('Enter only the last part of the hosted link, such as acme.', 'slug');
  }
  const key = readPrivateKey(private_key);
  if (key?.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_KEY_BITS) {
    throw invalid(
      `This is no RSA private key of at least ${MIN_KEY_BITS} bits as PEM without a passphrase. Leave it out to have one made.`,
      'private_key',
    );
  }
  if (!isPlace(verify_url, mode)) {
    throw invalid(
      'Enter a complete address without ? and #, such as https://verify.passbase.com.',
      'verify_url',
    );
  }
}

/** An address to which a slug can be added; the clear is for trying things out only. */
function isPlace(text: string, mode: 'test' | 'live'): boolean {
  const url = isWebUrl(text, mode === 'test') ? new URL(text) : undefined;
  return url !== undefined && !url.username && !url.password && !/[?#]/.test(text);
}
