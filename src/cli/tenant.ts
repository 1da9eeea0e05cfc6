import { DEFAULT_EXPIRY_MINUTES, MAX_EXPIRY_MINUTES, MIN_EXPIRY_MINUTES } from '../challenges/challenge.ts';
import { setDefaultExpiry } from '../tenants/store.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { untilServersNoticed } from './rotation.ts';

export const tenantSetExpiry: Command = {
  name: 'tenant set-expiry',
  summary: 'Set how long new challenges live unless a request says otherwise',
  options: {
    minutes: {
      type: 'string',
      value: 'N|default',
      required: true,
      help: `${MIN_EXPIRY_MINUTES} to ${MAX_EXPIRY_MINUTES}, or "default" for the server's ${DEFAULT_EXPIRY_MINUTES}`,
    },
  },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const minutes = minutesOf(textOf(values, 'minutes') ?? '');
      await setDefaultExpiry(db, tenantId, minutes);
      await untilServersNoticed();
      return {
        json: { default_expiry_minutes: minutes },
        text: `New challenges live for ${minutes ?? DEFAULT_EXPIRY_MINUTES} minutes. Open ones keep their deadline.`,
      };
    }),
};

function minutesOf(text: string): number | null {
  if (text === 'default') return null;
  const minutes = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (minutes < MIN_EXPIRY_MINUTES || minutes > MAX_EXPIRY_MINUTES) {
    throw new UsageError(
      `--minutes must be a whole number from ${MIN_EXPIRY_MINUTES} to ${MAX_EXPIRY_MINUTES}, or "default"`,
    );
  }
  return minutes;
}
