import type { Config } from '../config.ts';
import { readText } from '../challenges/text.ts';
import type { Store } from '../db/open.ts';
import { AppError } from '../kernel/errors.ts';
import type { Settings } from '../providers/provider.ts';
import { createReach } from '../reach.ts';
import { openIdp } from '../signin/idp.ts';
import { methods } from '../signin/index.ts';
import type { Method } from '../signin/method.ts';
import { findIdpById, findIdpOf, saveIdp, sealContext } from '../signin/store.ts';
import type { Kind } from '../signin/store.ts';
import { MODE_OPTION, UsageError, modeOf, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { idpList } from './idp-list.ts';
import { idpRemove } from './idp-remove.ts';
import { idpOptions, readIdpSettings } from './idp-settings.ts';
import { idpTest } from './idp-test.ts';
import { optionName } from './provider-settings.ts';
import { defaultProvider } from './provider-text.ts';
import { untilServersNoticed } from './rotation.ts';

const MAX_NAME = 100;
const KINDS = Object.keys(methods) as Kind[];

function idpSet(kind: Kind): Command {
  const method = methods[kind];
  return {
    name: `idp set ${kind}`,
    summary: `Let people sign in at your IdP by ${method.label}; prints what to enter there`,
    options: {
      name: {
        type: 'string',
        value: 'NAME',
        help: 'What people know the sign-in by, such as Okta (required the first time)',
      },
      ...idpOptions(method),
      mode: MODE_OPTION,
    },
    run: (config, values) =>
      withTenant(config, async (store, tenant_id) => {
        const { db, sealer } = store;
        const place = { tenant_id, kind, mode: modeOf(values) };
        const existing = await findIdpOf(db, place);
        const name = nameOf(values) ?? existing?.name ?? '';
        const settings = existing
          ? readIdpSettings(method, values, openIdp(sealer, existing).settings)
          : readIdpSettings(method, values, undefined, {
              intro: `no ${kind} is set up for ${place.mode} mode yet: `,
              alsoMissing: name === '' ? ['--name'] : [],
            });
        await checkSettings(config, store, { method, mode: place.mode, settings });
        const seal = (id: string) => sealer.seal(JSON.stringify(settings), sealContext.settings(id));
        const idp_id = await saveIdp(db, place, name, seal);
        await untilServersNoticed();
        const set_up = method.setUp(config.publicUrl, openIdp(sealer, await findIdpById(db, idp_id)));
        const chosen = await defaultProvider(db, place);
        return {
          json: { kind, mode: place.mode, idp_id, name, is_default: chosen === kind, set_up },
          text: [
            `${method.label} at "${name}" is set up for ${place.mode} mode. ${useText(kind, chosen)}`,
            ...set_up,
            ...(config.publicUrl.startsWith('https:') ? [] : [HTTPS_HINT]),
            `Then try it: \`countersign idp test ${kind} --mode ${place.mode}\``,
          ].join('\n'),
        };
      }),
  };
}

/** The companies' sign-in services: one command of each kind, and the list. */
export const idpCommands: Command[] = [
  ...KINDS.map(idpSet),
  idpList,
  ...KINDS.map(idpTest),
  ...KINDS.map(idpRemove),
];

const HTTPS_HINT =
  'Most IdPs take https addresses only: set PUBLIC_URL to the name that people reach this server by.';

function nameOf(values: Values): string | undefined {
  try {
    return readText(values.name, '--name', { max: MAX_NAME });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Throws a usage error for addresses that will never be called, and for what the method says cannot be right. */
async function checkSettings(
  config: Config,
  { bundled }: Store,
  { method, mode, settings }: { method: Method; mode: 'test' | 'live'; settings: Settings },
): Promise<void> {
  const { outbound, checkCallbackUrl } = createReach(config, bundled);
  try {
    for (const [field, { called }] of Object.entries(method.fields))
      if (called && settings[field]) checkCallbackUrl(settings[field], mode, `--${optionName(field)}`);
    method.checkSettings?.(settings);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new UsageError(inOptions(error, method));
  } finally {
    await outbound.close();
  }
}

/** What is wrong with a field, in the words of whoever enters it as an option. */
function inOptions({ message, field = '' }: AppError, { fields }: Method): string {
  const text = Object.keys(fields).reduce((before, name) => {
    // A word such as "issuer" may just be a word, unless the sentence begins with it.
    const named = name.includes('_') ? `(?<![-\\w])${name}\\b` : `^${name}\\b`;
    return before.replaceAll(new RegExp(named, 'g'), `--${optionName(name)}`);
  }, message);
  const option = `--${optionName(field)}`;
  return text.includes('--') || !Object.hasOwn(fields, field) ? text : `${option}: ${text}`;
}

function useText(kind: Kind, chosen: string | null): string {
  return chosen === kind
    ? 'New challenges use it.'
    : `Challenges with "provider": "${kind}" use it; others use ${chosen} (see \`countersign tenant set-provider\`).`;
}
