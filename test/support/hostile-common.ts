import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { flipped } from './hostile.ts';
import type { Door, Shot } from './hostile.ts';
import { sendRaw } from './raw.ts';

const KB = 1_024;
const BETWEEN_MS = 200;
const refused = (reason: string) => ({ kind: 'refused', outcome: 'refused', reason, body_sealed: null });
export const NOT_AUTHENTIC = { status: 401, line: refused('not_authentic') };

/**
 * What every door is held to, whoever knocks: the answer, one line in the log, and nothing else. `authentic` makes a
 * webhook that is right in all respects, signed with these settings, about a session that nobody knows.
 */
export function holdsAgainstAnyone(
  door: () => Door,
  authentic: (settings: Door['simulator']['settings']) => Shot,
) {
  const right = () => authentic(door().simulator.settings);

  test("another account's secret opens nothing, here or there", async () => {
    const { other, otherAccount, leaves } = door();
    await leaves(authentic(other.settings), NOT_AUTHENTIC);
    await leaves(right(), NOT_AUTHENTIC, otherAccount);
  });

  test('a webhook that was changed on its way is refused: a bit at the start, the middle or the end, or its length', async () => {
    const shot = right();
    const bytes = Buffer.from(shot.body);
    const changed = [
      ...[0, bytes.length >> 1, -1].map((at) => flipped(bytes, at)),
      ...[bytes.subarray(0, -1), bytes.subarray(1), bytes.subarray(0, bytes.length >> 1), Buffer.alloc(0)],
      ...[Buffer.concat([bytes, Buffer.from(' ')]), Buffer.concat([bytes, bytes])],
    ];
    for (const body of changed) await door().leaves({ ...shot, body }, NOT_AUTHENTIC);
  });

  test('a body that is too large is refused before anything else is looked at', async () => {
    const line = refused('too_large');
    const body = Buffer.alloc(KB * KB, 'x');
    await door().leaves({ ...right(), body }, { status: 413, line });
    await door().leaves({ body, headers: {} }, { status: 413, line });
  });

  test('a compressed body is refused, whatever it would turn out to be', async () => {
    const shot = right();
    for (const encoding of ['gzip', 'br', 'deflate']) {
      const headers = { ...shot.headers, 'content-encoding': encoding };
      await door().leaves(
        { body: gzipSync(shot.body), headers },
        { status: 415, line: refused('compressed') },
      );
    }
  });

  test('a body that breaks off or makes no sense as HTTP is counted, and the door stands open', async () => {
    const { webhookUrl } = door();
    const { host, pathname } = new URL(webhookUrl);
    const head = (more: string) => `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n\r\n`;
    // Whether the account was looked up before the rest came decides how it shows.
    const reason = expect.stringMatching(/^(malformed|not_authentic)$/) as unknown as string;
    const line = { ...refused('malformed'), reason };
    await door().leavesAfter(() => breakOff(webhookUrl, `${head('Content-Length: 100')}half of it`), {
      status: 0,
      line,
    });
    await door().leavesAfter(
      () => breakOff(webhookUrl, `${head('Transfer-Encoding: chunked')}5\r\nhello\r\n`, 'Z\r\n'),
      { status: 0, line },
    );
    // What is no request at all does not get as far as an account.
    const both = `${head('Content-Length: 3\r\nTransfer-Encoding: chunked')}abc`;
    expect((await sendRaw(webhookUrl, both)).status).toBe(400);
  });
}

/** The same door lets the right one in: what the tests above found without effect was not refused for another reason. */
export function opensForTheRightOne(door: () => Door, approval: () => Shot) {
  test('an authentic approval, sent the same way, does end the challenge', async () => {
    const line = { outcome: 'applied' };
    await expect(door().leaves(approval(), { status: 200, line })).rejects.toThrow(/toEqual/);
    await door().reaches(door().open.id, 'verified');
  });
}

/** Sends the beginning, waits, sends the rest if there is one, and hangs up without reading. */
async function breakOff(url: string, beginning: string, rest?: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(beginning);
  await sleep(BETWEEN_MS);
  if (rest !== undefined) socket.write(rest);
  await sleep(BETWEEN_MS);
  socket.destroy();
  return 0;
}
