type Setting = { name: string; fallback: string; meaning: string };

/** The settings in the order of the README table; `--help` prints them. */
export const settings = [
  { name: 'PORT', fallback: '3000', meaning: 'Port to listen on; 0 picks a free one.' },
  { name: 'HOST', fallback: '127.0.0.1', meaning: 'Address to listen on; 0.0.0.0 for all.' },
  {
    name: 'PUBLIC_URL',
    fallback: 'http://HOST:PORT',
    meaning: 'Origin that people and providers reach, without a path.',
  },
  { name: 'DATA_DIR', fallback: './data', meaning: 'Where the bundled database keeps its state.' },
  {
    name: 'DATABASE_URL',
    fallback: '',
    meaning: 'Your own PostgreSQL (15 or newer); the bundled one is then not used.',
  },
  { name: 'REDIS_URL', fallback: '', meaning: 'Run the queue on Redis; empty: on PostgreSQL.' },
  {
    name: 'ENCRYPTION_KEY',
    fallback: '',
    meaning:
      'Seals stored secrets: 32 bytes as 64 hex digits or base64. Several, separated by commas: the first seals, all open. Required with DATABASE_URL; generated for the bundled database.',
  },
  {
    name: 'TRUST_PROXY',
    fallback: '',
    meaning: 'Proxies in front: how many, or their addresses, separated by commas. Empty: none.',
  },
  {
    name: 'OUTBOUND_ALLOWED_CIDRS',
    fallback: '',
    meaning: 'Private networks that callbacks may reach, separated by commas, such as 10.20.0.0/16.',
  },
  {
    name: 'OUTBOUND_PORTS',
    fallback: '80,443,8443',
    meaning: 'Ports that may be called on the public internet, separated by commas.',
  },
  {
    name: 'OUTBOUND_PROXY',
    fallback: '',
    meaning: 'HTTP proxy that everything outbound tunnels through (CONNECT), such as http://proxy:3128.',
  },
  {
    name: 'OUTBOUND_PROXY_RESOLVES',
    fallback: 'false',
    meaning:
      'true: the proxy resolves names and keeps private networks out of reach; false: names are resolved and checked here.',
  },
  {
    name: 'RETRY_SCHEDULE',
    fallback: '5s,5m,30m,2h,5h,10h,14h,20h,24h',
    meaning: 'Waits before the 2nd, 3rd, ... attempt of a callback, each spread by 20 %.',
  },
  {
    name: 'IN_FLIGHT_CAP',
    fallback: '10',
    meaning: 'Callbacks on their way to one endpoint at the same time, 1 to 100.',
  },
  {
    name: 'BODY_RETENTION_DAYS',
    fallback: '7',
    meaning: 'Days until the body of an event is deleted, from the end of its last delivery; 1 to 90.',
  },
  {
    name: 'ATTEMPT_RETENTION_DAYS',
    fallback: '30',
    meaning: 'Days until the record of an attempt is deleted, 1 to 365.',
  },
  {
    name: 'WEBHOOK_RETENTION_DAYS',
    fallback: '7',
    meaning: 'Days until the sealed body of a provider’s webhook is deleted, 1 to 90.',
  },
  {
    name: 'OPS_PORT',
    fallback: '',
    meaning: 'Port on which a worker answers /healthz, /readyz and /metrics; empty: none.',
  },
  {
    name: 'METRICS_TOKEN',
    fallback: '',
    meaning: 'When set, /metrics asks for it as a Bearer token.',
  },
  { name: 'LOG_LEVEL', fallback: 'info', meaning: 'fatal, error, warn, info, debug, trace or silent.' },
] as const satisfies readonly Setting[];

export type Name = (typeof settings)[number]['name'];
