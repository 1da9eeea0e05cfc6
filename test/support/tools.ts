import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

/** What tests run besides Node: any of the commands will do, and the Debian package that brings one. */
const TOOLS = {
  redis: { commands: ['redis-server', 'valkey-server'], package: 'redis-server' },
  // Often not on the PATH of people who are not root.
  nginx: { commands: ['nginx', '/usr/sbin/nginx'], package: 'nginx' },
  browser: { commands: ['chromium', 'google-chrome', 'chromium-browser'], package: 'chromium' },
  python: { commands: ['python3'], package: 'python3' },
  openssl: { commands: ['openssl'], package: 'openssl' },
  curl: { commands: ['curl'], package: 'curl' },
  processes: { commands: ['ps'], package: 'procps' },
} as const;

type Tool = keyof typeof TOOLS;

/** Packages whose service would start now and at every boot. Tests run their own. */
const SERVICES: ReadonlySet<string> = new Set([TOOLS.redis.package, TOOLS.nginx.package]);
/** Debian asks this script before it starts a service; 101 says no. */
const POLICY = '/usr/sbin/policy-rc.d';

/** The path of a tool; throws with the cure when it is not installed. */
export function commandFor(tool: Tool): string {
  const found = find(tool);
  if (!found) throw new Error(`tests need ${TOOLS[tool].commands.join(' or ')} on the PATH`);
  return found;
}

/** Installs with apt what is missing, where that is possible; else stops and says exactly what to install. */
export function requireTools(): void {
  const missing = (Object.keys(TOOLS) as Tool[]).filter((tool) => !find(tool));
  if (missing.length === 0) return;
  const packages = missing.map((tool) => TOOLS[tool].package);
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `tests need ${packages.join(' and ')}; install them, for example: sudo apt-get install ${packages.join(' ')}`,
    );
  }
  console.log(`installing ${packages.join(' and ')} with apt-get …`);
  install(packages);
  for (const tool of missing) commandFor(tool);
}

function install(packages: readonly string[]): void {
  const apt = (...args: string[]) =>
    spawnSync('apt-get', args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const unruled = !existsSync(POLICY);
  if (unruled) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    apt('update', '-q');
    apt('install', '-y', '-q', '--no-install-recommends', ...packages);
  } finally {
    if (unruled) rmSync(POLICY);
  }
  for (const name of packages.filter((one) => SERVICES.has(one))) {
    spawnSync('systemctl', ['disable', name], { stdio: 'ignore' });
  }
}

function find(tool: Tool): string | undefined {
  const paths = TOOLS[tool].commands.map((command) =>
    spawnSync('which', [command], { encoding: 'utf8' }).stdout.trim(),
  );
  return paths.find((path) => path !== '');
}
