import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { settings } from '../src/settings.ts';

type Service = { image?: string; environment: Record<string, string> };

const textOf = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const compose = parse(textOf('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> };
const ours = Object.entries(compose.services).filter(([, { image }]) => image === 'countersign');

/** What an operator of the containers has no use for, and why. */
const NOT_PASSED_ON: Record<string, string> = {
  PORT: 'containers listen where the image says; in .env it is the port on this host',
  HOST: 'the image says so: all addresses of the container',
  DATA_DIR: 'nothing is kept in a container',
  OPS_PORT: 'only the worker has one, and it stays within the network',
};
/** What the compose file decides itself: these are its own containers. */
const DECIDED: Record<string, RegExp> = {
  DATABASE_URL: /@postgres:5432\//,
  REDIS_URL: /^redis:\/\/redis:6379$/,
};
const passedOn = settings.filter(({ name }) => !Object.hasOwn(NOT_PASSED_ON, name));

test('both containers get every setting from .env, where empty means the default, or from the compose file', () => {
  expect(ours.map(([name]) => name)).toEqual(['api', 'worker']);
  for (const [service, { environment }] of ours) {
    for (const { name } of passedOn) {
      const from = DECIDED[name] ?? new RegExp(`^\\$\\{${name}:(-|\\?[^}]+)\\}$`);
      expect([service, name, environment[name] ?? 'not passed on']).toEqual([
        ...[service, name, expect.stringMatching(from)],
      ]);
    }
    const unknown = Object.keys(environment).filter((name) => !settings.some((one) => one.name === name));
    expect(unknown).toEqual([]);
  }
});

test('.env.example names every setting that the compose file takes from it, with its default or empty', () => {
  const named = new Map(
    [...textOf('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
  const wanted = [
    ...passedOn.map(({ name }) => name).filter((name) => !Object.hasOwn(DECIDED, name)),
    ...['POSTGRES_PASSWORD', 'PORT'],
  ];
  expect([...named.keys()].toSorted()).toEqual(wanted.toSorted());
  // nginx stands in front of the containers.
  const others: Record<string, string> = { TRUST_PROXY: '1' };
  for (const { name, fallback } of passedOn) {
    const value = named.get(name) ?? '';
    expect([name, value]).toEqual([name, value === '' ? '' : (others[name] ?? fallback)]);
  }
});
