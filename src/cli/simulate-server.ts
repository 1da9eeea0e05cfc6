const ANSWER_MS = 2_000;

/**
 * Whether the server that this account belongs to answers where its webhooks go. More than a health check says: one with
 * another database answers too, and knows nothing of the account.
 */
export async function isServedAt(webhookUrl: string): Promise<boolean> {
  try {
    const answer = await fetch(webhookUrl, { redirect: 'manual', signal: AbortSignal.timeout(ANSWER_MS) });
    return answer.status === 200 && (await answer.text()).startsWith('Countersign endpoint');
  } catch {
    return false;
  }
}
