import { migrate } from '../db/migrate.ts';
import { openStore } from '../db/open.ts';
import type { Command } from './command.ts';

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Bring the database up to this version (serve does it too)',
  options: {},
  async run(config) {
    const store = await openStore(config, () => undefined);
    try {
      const applied = await migrate(store.connection);
      const text = applied.length > 0 ? `Applied ${applied.join(', ')}.` : 'The database was up to date.';
      return { json: { applied }, text };
    } finally {
      await store.close();
    }
  },
};
