import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Agent, buildConnector } from 'undici';
import { freePort } from './redis.ts';
import { createAuthority } from './tls.ts';
import { commandFor } from './tools.ts';
import { until } from './until.ts';

const DEPLOY = resolve(import.meta.dirname, '../../deploy/nginx');
export const CONFIGS = ['countersign.conf', 'provider-webhooks.conf', 'cloudflare-tunnel.conf'] as const;
const NAMES = { all: 'verify.example.com', webhooks: 'veriffwh.example.com' } as const;

type NginxConfig = (typeof CONFIGS)[number];
type Options = {
  /** where Countersign listens, as host:port */
  upstream: string;
  /** the account whose webhooks the dedicated hostname leads to */
  account?: string;
  /** all of deploy/nginx unless said */
  configs?: readonly NginxConfig[];
  /** what an operator would change by hand */
  edit?: (text: string) => string;
};
type Wish = {
  method?: 'GET' | 'POST' | 'PUT';
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** the loopback address that the client calls from */
  from?: string;
};

/** nginx with the very files of deploy/nginx: only its own addresses and paths are replaced, names stay as they are. */
export async function startNginx({ upstream, account = 'none', configs = CONFIGS, edit = same }: Options) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-nginx-'));
  const path = (...parts: string[]) => join(folder, ...parts);
  const ports = { http: await freePort(), https: await freePort(), tunnel: await freePort() };
  const authority = createAuthority();
  for (const name of Object.values(NAMES)) keepPair(path('live', name), authority.issue([name]));
  for (const one of ['log', 'tmp', 'conf.d', 'html/.well-known/acme-challenge']) {
    mkdirSync(path(one), { recursive: true });
  }
  cpSync(join(DEPLOY, 'snippets'), path('snippets'), { recursive: true });
  for (const config of configs) {
    const text = edit(readFileSync(join(DEPLOY, config), 'utf8'));
    writeFileSync(path('conf.d', config), relocate(text, { folder, ports, upstream, account }));
  }
  writeFileSync(path('nginx.conf'), mainConfig(folder));
  const args = ['-p', folder, '-c', path('nginx.conf'), '-e', path('log/start.log')];
  const tested = spawnSync(commandFor('nginx'), [...args, '-t'], { encoding: 'utf8' });
  const startLog = () => tested.stderr + readFileSync(path('log/start.log'), 'utf8');

  const child = spawn(commandFor('nginx'), args, { stdio: 'ignore' });
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const close = async () => {
    const exit = ended() ? undefined : once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
    authority.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const anyPort = configs.includes('cloudflare-tunnel.conf') ? ports.tunnel : ports.https;
  try {
    await until(() => {
      if (ended()) throw new Error(`nginx ended: ${startLog()}`);
      return accepts(anyPort);
    }, 'nginx to listen');
  } catch (error) {
    await close();
    throw error;
  }

  return {
    /** what `nginx -t` said */
    tested: { status: tested.status, text: tested.stderr },
    /** everything in its logs so far */
    logs: (name: string) => readFileSync(path('log', name), 'utf8'),
    /** a file in the web root, as certbot puts one there */
    put: (name: string, text: string) => writeFileSync(path('html', name), text),
    /** One request to a real-world URL, which leads here: 443, 80 and 8720 are this nginx. The path is sent as it stands. */
    async request(url: string, { from, method = 'GET', ...wish }: Wish = {}) {
      const [, origin = '', path_ = ''] = /^([a-z]+:\/\/[^/]+)(\/.*)$/.exec(url) ?? [];
      const agent = agentTo(ports, authority.cert, from);
      try {
        const answer = await agent.request({ origin, path: path_, method, ...wish });
        return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
      } finally {
        await agent.close();
      }
    },
    close,
  };
}

export type Nginx = Awaited<ReturnType<typeof startNginx>>;

type Ports = { http: number; https: number; tunnel: number };

/** Replaces what belongs to the machine, and nothing else; what it does not know must not stay. */
function relocate(
  text: string,
  { folder, ports, upstream, account }: { folder: string; ports: Ports; upstream: string; account: string },
): string {
  const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === '::1'));
  const moved = text
    .replaceAll(/^ *listen \[::\]:.*\n/gm, (line) => (hasIpv6 ? line.replace('[::]', '[::1]') : ''))
    .replaceAll(/listen (80|443)\b/g, 'listen 127.0.0.1:$1')
    .replaceAll(/(listen \S+):(80|443|8720)\b/g, (_, address: string, port: string) => {
      return `${address}:${{ 80: ports.http, 443: ports.https, 8720: ports.tunnel }[port]}`;
    })
    .replaceAll('server 127.0.0.1:3000;', `server ${upstream};`)
    .replaceAll('ACCOUNT_ID', account)
    .replaceAll('/etc/letsencrypt/live/', join(folder, 'live/'))
    .replaceAll('/var/log/nginx/', join(folder, 'log/'))
    .replaceAll('/var/www/html', join(folder, 'html'));
  const [left] = /^(?! *#).*(?:\/etc\/|\/var\/|:3000|:8720).*$/m.exec(moved) ?? [];
  if (left !== undefined) throw new Error(`the test would use this of the machine: ${left}`);
  return moved;
}

/** What surrounds conf.d in Debian's nginx.conf, as far as it matters, with one process that leaves nobody behind. */
function mainConfig(folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/log/error.log;
events { worker_connections 256; }
http {
  sendfile on;
  tcp_nopush on;
  ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
  access_log ${folder}/log/access.log;
  gzip on;
${temporary.map((name) => `  ${name}_temp_path ${folder}/tmp;`).join('\n')}
  include ${folder}/conf.d/*.conf;
}
`;
}

/** Connects to nginx whatever the URL says, and checks its certificate for the name in the URL. */
function agentTo(ports: Ports, ca: string, from: string | undefined): Agent {
  const connectTo = buildConnector({ ca });
  return new Agent({
    connect: (options, callback) => {
      const port =
        options.port === '8720' ? ports.tunnel : ports[options.protocol === 'https:' ? 'https' : 'http'];
      const source = from === undefined ? {} : { localAddress: from };
      connectTo(
        { ...options, ...source, hostname: '127.0.0.1', port: String(port), servername: options.hostname },
        callback,
      );
    },
  });
}

function keepPair(folder: string, { cert, key }: { cert: string; key: string }): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fullchain.pem'), cert);
  writeFileSync(join(folder, 'privkey.pem'), key);
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((done) => {
    socket.once('connect', () => done(true)).once('error', () => done(false));
  }).then((open) => (socket.destroy(), open as boolean));
}

function same(text: string): string {
  return text;
}
