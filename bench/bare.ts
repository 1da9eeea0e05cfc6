/** The yardstick: Express and pg with one INSERT or one SELECT per request, and nothing else. Argument: the connection as JSON. */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express from 'express';
import pg from 'pg';

/** As many connections as Countersign uses. */
const POOL_SIZE = 10;
const COLUMNS = ['id', 'target_user_email', 'context', 'requester_id', 'status', 'created_at', 'expires_at'];

const pool = new pg.Pool({ ...(JSON.parse(process.argv[2] ?? '{}') as object), max: POOL_SIZE });
await pool.query(`create table if not exists bare_rows (
  id uuid primary key, target_user_email text, context text, requester_id text,
  status text, created_at timestamptz, expires_at timestamptz)`);

const insert = `insert into bare_rows (${COLUMNS.join(', ')}) values ($1, $2, $3, $4, $5, $6, $7)`;
const app = express();
app.post('/rows', express.json(), async (req, res) => {
  const { target_user_email, context } = req.body as { target_user_email: string; context: string };
  const id = randomUUID();
  const now = Date.now();
  const expires = new Date(now + 900_000);
  await pool.query(insert, [id, target_user_email, context, 'webhook', 'initiated', new Date(now), expires]);
  res.status(201).json({ id, status: 'initiated', expires_at: expires });
});
app.get('/rows/:id', async (req, res) => {
  const { rows } = await pool.query('select * from bare_rows where id = $1', [req.params.id]);
  res.json(rows[0]);
});
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
