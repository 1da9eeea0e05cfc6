import { berbix } from '../../src/providers/berbix.ts';
import { CHALLENGE_ID, TRANSACTION_ID } from '../fixtures/berbix/vectors.ts';

type Fields = Record<string, unknown>;
/** What Countersign makes of this text. */
export const readText = (text: string) => berbix.readWebhook(text);
const read = (body: Fields) => readText(JSON.stringify(body));
/** What every kind carries. */
export const about = { transaction_id: Number(TRANSACTION_ID), customer_uid: CHALLENGE_ID };
const dashboard_link = 'https://dashboard.example/t/1';
/** Fields of a finish that are deprecated. */
export const legacy = { user_id: Number(TRANSACTION_ID), code: '012345678990' };
/** A finish, read with these fields instead. */
export const finish = (fields: Fields = {}) =>
  read({ ...legacy, ...about, action: 'accept', dashboard_link, ...fields });
/** A changed status. */
export const change = (fields: Fields = {}) =>
  read({ id: 98765, ...about, action: 'accept', dashboard_link, ...fields });
/** A step of progress. */
export const step = (fields: Fields = {}) =>
  read({
    ...about,
    type: 'event',
    message: 'SESSION_STARTED',
    created_at: '2026-01-01T10:00:00.123456789Z',
    ...fields,
  });
