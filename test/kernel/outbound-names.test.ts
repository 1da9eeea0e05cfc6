import { afterEach, expect, jest, test } from '@jest/globals';
import { Resolver } from 'node:dns/promises';
import { startDns } from '../support/dns.ts';
import type { Zone } from '../support/dns.ts';
import {
  closeAll,
  closeLater,
  failureOf,
  HTTP_ONLY,
  outboundWith,
  requestTo,
  serveHttp,
} from '../support/outbound.ts';

afterEach(async () => {
  jest.restoreAllMocks();
  await closeAll();
});

/** An outbound client whose own resolver asks this name server and no other. */
async function outboundAsking(zone: Zone) {
  const dns = await startDns(zone);
  closeLater(() => dns.close());
  for (const method of ['resolve4', 'resolve6'] as const) {
    const original = Resolver.prototype[method] as (name: string) => Promise<string[]>;
    const pointed = function (this: Resolver, name: string) {
      if (this.getServers()[0] !== dns.address) this.setServers([dns.address]);
      return original.call(this, name);
    };
    jest.spyOn(Resolver.prototype, method).mockImplementation(pointed);
  }
  return outboundWith();
}

const chain =
  (length: number, addresses: string[]): Zone =>
  (name, type) => {
    const link = Number(/\d+/.exec(name)?.[0] ?? 0);
    if (link < length) return { alias: `link${link + 1}.example.com` };
    return { addresses: type === 'A' ? addresses : [] };
  };

test('a long chain of aliases is followed to its end, and the end is judged', async () => {
  const server = await serveHttp((_, response) => response.end());
  const outbound = await outboundAsking(chain(20, ['127.0.0.1']));
  const url = `http://hooks.example.com:${server.port}/`;
  expect((await outbound.request(requestTo(url))).remoteAddress).toBe('127.0.0.1');
  const elsewhere = requestTo('http://other.example.com/', { reach: HTTP_ONLY });
  const failure = await failureOf(outbound.request(elsewhere));
  expect([failure.rule, server.connections]).toEqual(['loopback', 1]);
});

test('a chain that leads nowhere fails as dns', async () => {
  const outbound = await outboundAsking(chain(20, []));
  const failure = await failureOf(outbound.request(requestTo('http://hooks.example.com/')));
  expect([failure.errorClass, failure.message]).toEqual([
    'dns',
    'hooks.example.com could not be resolved (no answer).',
  ]);
});

test('one private address among very many is found', async () => {
  const many = Array.from({ length: 1_000 }, (_, index) => `93.184.${index >> 8}.${index & 255}`);
  const outbound = await outboundAsking((_, type) => ({
    addresses: type === 'A' ? [...many.slice(0, 60), '10.0.0.1'] : [],
  }));
  expect((await failureOf(outbound.request(requestTo('http://hooks.example.com/')))).rule).toBe('private');
  const injected = outboundWith({ resolve: () => Promise.resolve([...many, 'fd00::1']) });
  expect((await failureOf(injected.request(requestTo('http://hooks.example.com/')))).rule).toBe(
    'unique_local',
  );
});

test('an IPv6 answer is judged like an IPv4 one', async () => {
  const outbound = await outboundAsking((_, type) => ({
    addresses: type === 'A' ? ['93.184.216.34'] : ['fd00:ec2:0:0:0:0:0:254'],
  }));
  expect((await failureOf(outbound.request(requestTo('http://hooks.example.com/')))).rule).toBe('metadata');
});

test('a name server that never answers one of the two questions costs two seconds, not the callback', async () => {
  const server = await serveHttp((_, response) => response.end());
  const outbound = await outboundAsking((_, type) =>
    type === 'A' ? { addresses: ['127.0.0.1'] } : undefined,
  );
  const before = Date.now();
  const answer = await outbound.request(requestTo(`http://hooks.example.com:${server.port}/`));
  expect(answer.status).toBe(200);
  expect(Date.now() - before).toBeLessThan(3_500);
});

test('one that answers nothing at all fails as dns', async () => {
  const outbound = await outboundAsking(() => undefined);
  const before = Date.now();
  const failure = await failureOf(outbound.request(requestTo('http://hooks.example.com/')));
  expect(failure.errorClass).toBe('dns');
  expect(Date.now() - before).toBeLessThan(3_500);
});
