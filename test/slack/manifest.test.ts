import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { MANIFEST_SCOPES } from '../../src/slack/scopes.ts';
import { createWorkspace } from '../../src/slack/workspace.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { expectRefusal } from '../support/refusal.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(() => server.close());

const missing = { code: 'not_found', error: 'No such Slack workspace' };

async function workspace(mode: 'test' | 'live'): Promise<string> {
  const { id: tenant_id } = (await findFirstTenant(server.db))!;
  const wish = { tenant_id, name: 'Acme', mode, api_url: 'https://slack.com' };
  return server.db.transaction().execute((tx) => createWorkspace(tx, server.sealer, wish));
}

test('a workspace that has no app yet gets the manifest to make it from: this server’s addresses, and what it needs', async () => {
  const id = await workspace('live');
  const answer = await server.request.get(`/slack/${id}/manifest.yaml`).expect(200);
  expect(answer.headers['content-type']).toMatch('application/yaml');
  const base = `https://verify.example.com/slack/${id}`;
  expect(parse(answer.text)).toEqual({
    display_information: { name: 'Countersign', description: expect.any(String) },
    features: {
      app_home: { home_tab_enabled: false, messages_tab_enabled: true, messages_tab_read_only_enabled: true },
      bot_user: { display_name: 'Countersign', always_online: false },
      slash_commands: [
        {
          ...{ command: '/challenge', url: `${base}/commands`, description: expect.any(String) },
          ...{ usage_hint: '@username [reason]', should_escape: true },
        },
      ],
    },
    oauth_config: { scopes: { bot: MANIFEST_SCOPES } },
    settings: {
      interactivity: { is_enabled: true, request_url: `${base}/interactions` },
      ...{ org_deploy_enabled: false, socket_mode_enabled: false, token_rotation_enabled: false },
    },
  });
});

test('what Slack limits is within its limits, and an app for tests says so', async () => {
  const answer = await server.request.get(`/slack/${await workspace('test')}/manifest.yaml`);
  const { display_information, features } = parse(answer.text) as {
    display_information: { name: string; description: string };
    features: { bot_user: { display_name: string } };
  };
  expect(display_information.name).toBe('Countersign (test)');
  expect(display_information.name.length).toBeLessThanOrEqual(35);
  expect(display_information.description.length).toBeLessThanOrEqual(140);
  expect(features.bot_user.display_name).toBe('Countersign (test)');
});

test('what is no workspace has no manifest, and a manifest is only read', async () => {
  const { integrationId } = await server.integration();
  for (const id of [integrationId, '0198c0de-0000-7000-8000-000000000000', 'nothing', '%2e%2e'])
    expectRefusal(await server.request.get(`/slack/${id}/manifest.yaml`), 404, missing);
  const answer = await server.request.post(`/slack/${await workspace('test')}/manifest.yaml`);
  expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
});
