import type { Config } from '../config.ts';
import type { Simulator } from '../simulators/simulator.ts';

/** A provider that is being played, and the account that points at it. */
export type Simulation = { label: string; simulator: Simulator; accountId: string; webhookUrl: string };

/** What the operator reads once a simulator runs: where everything is, and what to try. */
export function simulationText(
  name: string,
  { publicUrl, outboundProxy }: Config,
  { label, simulator, webhookUrl }: Simulation,
): string {
  const challenge = JSON.stringify({
    target_user_email: 'ada@example.com',
    context: 'Password reset, ticket 4711',
    provider: name,
  });
  return [
    `${label} is played at ${simulator.url}, and the account of test mode points there.`,
    `Its webhooks go to ${webhookUrl}`,
    ...(outboundProxy === undefined
      ? []
      : ['OUTBOUND_PROXY is set: the server reaches the simulator only if that proxy lets it.']),
    '',
    'Ask for a challenge with a key of test mode (the first start printed one):',
    '',
    `  curl -X POST ${publicUrl}/api/v1/challenges -H "X-API-Key: $API_KEY" -H "Content-Type: application/json" -d '${challenge}'`,
    '',
    `Open the verification_url of the answer, press Continue, and choose how it goes: ${Object.keys(simulator.outcomes).join(', ')}.`,
    `Sessions last until Ctrl-C. For the real ${label}: \`countersign provider set ${name} --help\`.`,
    '',
    'What happens from now on:',
    '',
  ].join('\n');
}
