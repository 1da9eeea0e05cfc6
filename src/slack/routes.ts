import { Router } from 'express';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { parseUrl } from '../kernel/address.ts';
import { isAway } from '../kernel/unreachable.ts';
import { allow } from '../web/allow.ts';
import { takeCommand } from './command.ts';
import type { Command } from './command.ts';
import { createCommandLimits } from './command-limits.ts';
import { createDoor, getWorkspace } from './door.ts';
import type { SlackDoorDeps } from './door.ts';
import { readInteraction } from './interact.ts';
import { manifestOf } from './manifest.ts';
import { takePress } from './press.ts';

const AWAY =
  'Nothing was created: this server cannot reach its database just now. Try again in a few minutes.';

/** Slack's doors, for each workspace its own: `/slack/:instance/commands`, `…/interactions`, and the app's manifest. */
export function slackRoutes(deps: SlackDoorDeps): Router {
  const router = Router();
  // Before there is an app to connect, so that it can be made.
  router.get('/:instance/manifest.yaml', async (req, res) => {
    const manifest = manifestOf(deps.publicUrl, await getWorkspace(deps, req));
    res.type('application/yaml').send(manifest);
  });
  router.all('/:instance/manifest.yaml', allow('GET'));
  router.post('/:instance/commands', ...commandHandlers(deps));
  router.all('/:instance/commands', allow('POST'));
  router.post('/:instance/interactions', ...interactionHandlers(deps));
  router.all('/:instance/interactions', allow('POST'));
  return router;
}

function commandHandlers(deps: SlackDoorDeps): (RequestHandler | ErrorRequestHandler)[] {
  const door = createDoor(deps, 'commands');
  const limits = createCommandLimits();
  const take: RequestHandler = async (req, res) => {
    const { form, workspace } = door.open(req);
    // Slack only looks whether somebody is there.
    if (form.get('ssl_check') === '1') return answer(res, '/challenge');
    door.checkTeam(workspace, form.get('team_id'));
    const command = readCommand(form);
    if (!command) throw door.malformed(workspace);
    const { outcome, text } = await takeCommand({ ...deps, limits }, workspace, command);
    door.count(outcome);
    answer(res, text);
  };
  // Slack shows people what is in a 200, and for anything else that the app did not respond.
  const away: ErrorRequestHandler = (error, _req, res, next) => {
    if (!isAway(error)) return next(error);
    door.count('unavailable');
    answer(res, AWAY);
  };
  return [...door.enter, take, away];
}

function interactionHandlers(deps: SlackDoorDeps): (RequestHandler | ErrorRequestHandler)[] {
  const door = createDoor(deps, 'interactions');
  const take: RequestHandler = async (req, res) => {
    const { form, workspace } = door.open(req);
    // Anything in an answer would be shown in place of the card.
    if (form.get('ssl_check') === '1') return void res.end();
    const interaction = readInteraction(form.get('payload'));
    if (!interaction) throw door.malformed(workspace);
    door.checkTeam(workspace, interaction.team);
    const { pressed } = interaction;
    door.count(pressed ? await takePress(deps, workspace, pressed) : 'ignored');
    res.end();
  };
  return [...door.enter, take];
}

function answer(res: Response, text: string): void {
  res.json({ response_type: 'ephemeral', text });
}

function readCommand(form: URLSearchParams): Command | undefined {
  const [user, trigger, response_url] = ['user_id', 'trigger_id', 'response_url'].map((name) =>
    form.get(name),
  );
  if (!user || !trigger || !response_url || !parseUrl(response_url)) return undefined;
  return { user, trigger, response_url, text: form.get('text') ?? '' };
}
