import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseUrl, readNetwork } from './kernel/address.ts';
import { parseSchedule } from './kernel/schedule.ts';
import { settings } from './settings.ts';
import type { Name } from './settings.ts';

/** Everything the operator decides, read once at start. */
export type Config = Readonly<{
  host: string;
  port: number;
  publicUrl: string;
  dataDir: string;
  /** undefined: the bundled PostgreSQL runs from dataDir */
  databaseUrl: string | undefined;
  /** undefined: BullMQ runs on the same PostgreSQL */
  redisUrl: string | undefined;
  /** empty only with the bundled database, which keeps a generated key in its state directory */
  encryptionKeys: readonly Buffer[];
  /** Express `trust proxy`: hops, or addresses of proxies */
  trustProxy: number | string[] | false;
  outboundAllowedCidrs: readonly string[];
  outboundPorts: readonly number[];
  /** an HTTP proxy that every outbound connection tunnels through; credentials in its userinfo */
  outboundProxy: string | undefined;
  /** the proxy resolves names and enforces egress policy; else we resolve and vet, and name addresses to it */
  outboundProxyResolves: boolean;
  /** the waits before attempts 2, 3, ... in milliseconds */
  retryWaitsMs: readonly number[];
  inFlightCap: number;
  bodyRetentionDays: number;
  attemptRetentionDays: number;
  webhookRetentionDays: number;
  /** where a worker answers /healthz, /readyz and /metrics; undefined: nowhere */
  opsPort: number | undefined;
  metricsToken: string | undefined;
  logLevel: string;
}>;

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const KEY_BYTES = 32;
/** What Express calls well-known ranges. */
const PROXY_NAMES = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** Every mistake in the settings at once, each with its cure. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`Some settings are wrong:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}

/** Strings from the environment to a checked Config; throws ConfigError that lists all mistakes. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const mistakes: string[] = [];
  const text = (name: Name) => env[name]?.trim() || fallbackOf(name);
  const read = <T>(name: Name, parse: (value: string) => T, otherwise: T): T => {
    try {
      return parse(text(name));
    } catch (error) {
      mistakes.push(`${name}: ${(error as Error).message}`);
      return otherwise;
    }
  };

  const host = text('HOST');
  const port = read('PORT', parsePort, 0);
  const databaseUrl = read(
    'DATABASE_URL',
    (value) => parseStoreUrl(value, ['postgres:', 'postgresql:']),
    undefined,
  );
  const encryptionKeys = read('ENCRYPTION_KEY', parseKeys, []);
  if (databaseUrl && encryptionKeys.length === 0 && !env.ENCRYPTION_KEY?.trim()) {
    mistakes.push(
      'ENCRYPTION_KEY: required with DATABASE_URL; make one with `openssl rand -hex 32` and keep it safe',
    );
  }

  const config: Config = {
    host,
    port,
    publicUrl: read('PUBLIC_URL', parsePublicUrl(host, port), ''),
    dataDir: resolve(text('DATA_DIR')),
    databaseUrl,
    redisUrl: read('REDIS_URL', (value) => parseStoreUrl(value, ['redis:', 'rediss:']), undefined),
    encryptionKeys,
    trustProxy: read('TRUST_PROXY', parseProxies, false),
    outboundAllowedCidrs: read('OUTBOUND_ALLOWED_CIDRS', (value) => list(value).map(parseCidr), []),
    outboundPorts: read('OUTBOUND_PORTS', (value) => list(value).map(parsePort), []),
    outboundProxy: read('OUTBOUND_PROXY', parseProxyUrl, undefined),
    outboundProxyResolves: read('OUTBOUND_PROXY_RESOLVES', parseFlag, false),
    retryWaitsMs: read('RETRY_SCHEDULE', parseSchedule, []),
    inFlightCap: read('IN_FLIGHT_CAP', within(1, 100), 1),
    bodyRetentionDays: read('BODY_RETENTION_DAYS', within(1, 90), 1),
    attemptRetentionDays: read('ATTEMPT_RETENTION_DAYS', within(1, 365), 1),
    webhookRetentionDays: read('WEBHOOK_RETENTION_DAYS', within(1, 90), 1),
    opsPort: read('OPS_PORT', (value) => (value ? parsePort(value) : undefined), undefined),
    metricsToken: text('METRICS_TOKEN') || undefined,
    logLevel: read('LOG_LEVEL', parseLogLevel, 'info'),
  };
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return config;
}

/** The http origin of an address and port; IPv6 in brackets. */
export function originOf(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function fallbackOf(name: Name): string {
  return name === 'PUBLIC_URL' ? '' : (settings.find((setting) => setting.name === name)?.fallback ?? '');
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function parsePort(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535)
    throw new Error(`"${value}" is not a port; use 0 to 65535`);
  return Number(value);
}

function parseStoreUrl(value: string, protocols: string[]): string | undefined {
  if (!value) return undefined;
  const example = `${protocols[0]}//user:password@host/name`;
  if (!protocols.includes(parseUrl(value)?.protocol ?? '')) {
    throw new Error(`not a ${protocols[0]}// URL; it looks like ${example}`);
  }
  return value;
}

const parsePublicUrl = (host: string, port: number) => (value: string) => {
  if (!value) return originOf(host, port);
  const url = parseUrl(value);
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error(`"${value}" is not an http or https URL; it looks like https://verify.example.com`);
  }
  if (url.pathname !== '/' || url.search || url.hash || url.username) {
    throw new Error(`"${value}" must be an origin alone, such as ${url.origin}`);
  }
  return url.origin;
};

function parseKeys(value: string): Buffer[] {
  return list(value).map((part) => {
    const key = Buffer.from(part, /^[0-9a-f]{64}$/i.test(part) ? 'hex' : 'base64');
    if (key.length !== KEY_BYTES) {
      throw new Error(
        'each key is 32 bytes, as 64 hex digits or as base64; make one with `openssl rand -hex 32`',
      );
    }
    return key;
  });
}

function parseProxies(value: string): Config['trustProxy'] {
  if (!value) return false;
  if (/^\d{1,2}$/.test(value)) return Number(value) || false;
  return list(value).map((part) => {
    if (PROXY_NAMES.has(part)) return part;
    try {
      return parseCidr(part);
    } catch {
      throw new Error(
        `"${part}" is neither a number of proxies nor an address; use 1, or 10.0.0.5, or 10.0.0.0/8`,
      );
    }
  });
}

function parseCidr(value: string): string {
  readNetwork(value);
  return value;
}

function parseProxyUrl(value: string): string | undefined {
  if (!value) return undefined;
  const url = parseUrl(value);
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search || url.hash) {
    throw new Error('not the origin of an HTTP proxy; it looks like http://proxy.example.com:3128');
  }
  return url.href;
}

function parseFlag(value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new Error(`"${value}" is neither true nor false`);
  return value === 'true';
}

const within = (least: number, most: number) => (value: string) => {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < least || number > most)
    throw new Error(`"${value}" is not a whole number from ${least} to ${most}`);
  return number;
};

function parseLogLevel(value: string): string {
  if (!LOG_LEVELS.includes(value))
    throw new Error(`"${value}" is unknown; use one of ${LOG_LEVELS.join(', ')}`);
  return value;
}
