import type { Db } from '../../src/db/database.ts';
import { deliveriesOf, settle } from './deliveries.ts';
import type { TestServer } from './server.ts';

export type Delivery = {
  delivery_id: string;
  event_id: string;
  endpoint_id: string;
  url: string;
  trigger: string;
  status: string;
  attempt_count: number;
  dead_reason: string | null;
  body_deleted: boolean;
  attempts: { attempt: number; status_code: number | null; response_excerpt: string | null }[];
};
type Wish = {
  apiKey?: string;
  callback_url?: string;
  status?: 'pending' | 'dead' | 'delivered';
  dead_reason?: string;
};

/** Nobody listens there, and while the server runs no worker nobody calls. */
export const NOWHERE = 'http://127.0.0.1:9/callback';
export const NOBODY = '00000000-0000-4000-8000-000000000000';

/** A client of the delivery desk, on a server that need not run a worker. */
export function createDesk(server: TestServer) {
  const { request, db } = server;
  const get = (path: string, key = server.apiKey) =>
    request.get(`/api/v1/deliveries${path}`).set('X-API-Key', key);
  const post = (path: string, body?: object | string, key = server.apiKey) => {
    const asked = request.post(`/api/v1/deliveries${path}`).set('X-API-Key', key);
    return body === undefined ? asked : asked.type('json').send(body);
  };
  return {
    get,
    post,
    /** The delivery of a challenge that has just ended, brought by SQL to where it should be. */
    async make({ apiKey = server.apiKey, callback_url = NOWHERE, status = 'dead', ...rest }: Wish = {}) {
      const challenge_id = await settle(server, { callback_url }, apiKey);
      const [made] = await deliveriesOf(db, challenge_id);
      if (!made) throw new Error('a challenge without a delivery');
      await bring(db, made.id, status, rest.dead_reason ?? 'exhausted');
      const { id, event_id, endpoint_id, integration_id } = made;
      return { delivery_id: id, event_id, endpoint_id, integration_id, challenge_id };
    },
    bring: (id: string, status: 'pending' | 'dead' | 'delivered', reason = 'exhausted') =>
      bring(db, id, status, reason),
    /** What retention does, or erasing. */
    deleteBody: (event_id: string) =>
      db.updateTable('events').set({ body: null }).where('id', '=', event_id).execute(),
    async read(id: string, key?: string): Promise<Delivery> {
      return (await get(`/${id}`, key).expect(200)).body as Delivery;
    },
    async list(query: Record<string, string> = {}, key?: string): Promise<Delivery[]> {
      return (
        (
          await get('', key)
            .query({ limit: '100', ...query })
            .expect(200)
        ).body as { data: Delivery[] }
      ).data;
    },
    /** All deliveries of one event, oldest first. */
    ofEvent: (event_id: string) =>
      db.selectFrom('deliveries').selectAll().where('event_id', '=', event_id).orderBy('id').execute(),
  };
}

async function bring(db: Db, id: string, status: 'pending' | 'dead' | 'delivered', reason: string) {
  const ended = status === 'pending' ? null : new Date();
  const dead_reason = status === 'dead' ? reason : null;
  await db
    .updateTable('deliveries')
    .set({ status, dead_reason, completed_at: ended, attempts: status === 'pending' ? 0 : 1 })
    .where('id', '=', id)
    .execute();
}

/** The audit entries with this action, newest first. */
export function auditOf(db: Db, action: string) {
  return db
    .selectFrom('audit_entries')
    .selectAll()
    .where('action', '=', action)
    .orderBy('id', 'desc')
    .execute();
}

/** The value of a counter, whatever its labels are asked for. */
export async function metricOf(server: TestServer, line: string): Promise<number> {
  const { text } = await server.request.get('/metrics').expect(200);
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length) ?? 0);
}
