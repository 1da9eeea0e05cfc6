import { startBerbix } from './berbix.ts';
import { startProviderStory } from './provider-story.ts';
import type { Backend } from './server.ts';

/** A server whose first tenant uses Berbix in test mode, the Berbix stand-in, and a receiver of callbacks. */
export async function startBerbixStory(backend: Backend = 'postgres') {
  const story = await startProviderStory('berbix', startBerbix, { backend });
  const { server, webhookUrl } = story;
  return {
    ...story,
    berbix: story.simulator,
    /** Posts these bytes as a webhook, with whatever signature; returns the answer's status. */
    async post(body: string | Buffer, headers: Record<string, string>): Promise<number> {
      const bytes = new Uint8Array(Buffer.from(body));
      return (await fetch(webhookUrl, { method: 'POST', headers, body: bytes })).status;
    },
    /** How far the person came, as a GET tells it. */
    async progressOf(id: string): Promise<{ type: string; message: string; at: string; provider: string }[]> {
      return (await server.read(id)).progress as never;
    },
    /** Webhooks that were turned away, by reason. */
    refusals: () =>
      server.db.selectFrom('inbox').select(['reason', 'copies']).where('outcome', '=', 'refused').execute(),
  };
}

export type BerbixStory = Awaited<ReturnType<typeof startBerbixStory>>;
