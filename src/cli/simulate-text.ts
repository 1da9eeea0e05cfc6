import { SANDBOX } from '../challenges/choice.ts';
import type { Config } from '../config.ts';
import type { Simulator } from '../simulators/simulator.ts';

/** A provider that is being played, and the account that points at it. */
export type Simulation = {
  label: string;
  simulator: Simulator;
  accountId: string;
  webhookUrl: string;
  /** where challenges of test mode go that name no provider */
  byDefault: string;
  /** whether the server was there when the simulator looked */
  served: boolean;
};

/** What the operator reads once a simulator runs: where everything is, and what to try. */
export function simulationText(
  name: string,
  { publicUrl, outboundProxy }: Config,
  { label, simulator, webhookUrl, byDefault }: Simulation,
): string {
  const challenge = JSON.stringify({
    target_user_email: 'ada@example.com',
    context: 'Password reset, ticket 4711',
    provider: name,
  });
  return [
    `${label} is played at ${simulator.url}, and the account of test mode points there.`,
    `Its webhooks go to ${webhookUrl}`,
    ...(byDefault === name
      ? []
      : [
          `Challenges that name no provider still go to ${byDefault === SANDBOX ? 'the sandbox' : byDefault}; \`countersign tenant set-provider --provider ${name}\` changes that.`,
        ]),
    ...(outboundProxy === undefined
      ? []
      : ['OUTBOUND_PROXY is set: the server reaches the simulator only if that proxy lets it.']),
    '',
    'Ask for a challenge, with a key of test mode in KEY (the first start printed one):',
    '',
    `  curl -X POST ${publicUrl}/api/v1/challenges -H "X-API-Key: $KEY" -H "Content-Type: application/json" -d '${challenge}'`,
    '',
    `Open the verification_url of the answer, press Continue, and choose how it goes: ${Object.keys(simulator.outcomes).join(', ')}.`,
    `Sessions last until Ctrl-C. For the real ${label}: \`countersign provider set ${name} --help\`.`,
    '',
    'What happens from now on:',
    '',
  ].join('\n');
}

/** What the operator reads when the server is not there. */
export function notServedText({ publicUrl }: Config, { webhookUrl }: Simulation): string {
  return [
    `No Countersign with this account answers at ${publicUrl} (tried ${webhookUrl}), so no webhook would arrive.`,
    'Start it if it does not run. If it does, this command needs the same settings as the server: PORT, PUBLIC_URL,',
    'and DATA_DIR or DATABASE_URL.',
    '',
    '',
  ].join('\n');
}

/** What the operator reads when the simulator stops. */
export function stoppingText(name: string, { label }: Simulation): string {
  return [
    'Stopping when the webhooks under way have arrived; Ctrl-C again stops at once.',
    `The ${label} account of test mode still points at this simulator, until \`countersign provider set ${name}\` or the next \`countersign simulate ${name}\`.`,
    '',
  ].join('\n');
}
