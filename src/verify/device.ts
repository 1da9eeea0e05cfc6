import { isIP } from 'node:net';
import bowser from 'bowser';
import type { DeviceFacts } from '../challenges/device.ts';

/** What the script sent beside its request: anything. */
export type DeviceReport = { [name: string]: unknown };
type Agent = ReturnType<typeof bowser.parse>;

const MAX_USER_AGENT = 500;
const MAX_NAME = 60;
const MAX_ZONE = 64;
const MAX_LANGUAGE = 35;
/** From this major version on, the client hint means Windows 11. */
const WINDOWS_11 = 13;
/** From then on Safari keeps the version of iOS to itself, but has the same one. */
const SAFARI_OF_IOS = 26;

/** What the request and the script's report tell about a device. Nothing is trusted: what does not look right is left out. */
export function deviceFacts(
  userAgent: string | undefined,
  ip: string | undefined,
  report: DeviceReport = {},
): DeviceFacts {
  const user_agent = (userAgent ?? '').replace(/[^ -~]/g, '').slice(0, MAX_USER_AGENT);
  const agent = user_agent ? bowser.parse(user_agent) : undefined;
  return {
    browser: agent
      ? named(agent.browser.name, agent.browser.version?.split('.').slice(0, 2).join('.'))
      : null,
    os: agent ? osOf(agent, hintsIn(report)) : null,
    screen: textIn(report.screen, /^\d{2,5}x\d{2,5}$/),
    timezone: zoneIn(report.timezone),
    ip: ip && isIP(ip) ? ip : null,
    user_agent: user_agent || null,
    language: languageIn(report.language),
  };
}

type Hints = { platform: string | null; version: string | undefined };

/** The system as people name it. Browsers froze what their user agent says of it; only Chromium's client hints tell. */
function osOf(agent: Agent, hints: Hints): string | null {
  const { name, version } = agent.os;
  const hinted = hints.platform === name ? hints.version : undefined;
  switch (name) {
    case 'Windows':
      return windowsOf(agent, hinted);
    case 'macOS':
      // Also what an iPad says that asks for desktop pages.
      if (hints.platform === 'iPadOS') return 'iPadOS';
      return named(name, hinted ?? (version?.startsWith('10.15') ? undefined : version));
    case 'Android':
      return named(name, hinted ?? (version === '10' ? undefined : version));
    case 'iOS':
      return named(name, iosOf(agent));
    default:
      return named(name, version);
  }
}

function windowsOf({ os }: Agent, hinted: string | undefined): string {
  const major = hinted === undefined ? 0 : Number.parseInt(hinted, 10);
  if (major >= WINDOWS_11) return 'Windows 11';
  if (major > 0) return 'Windows 10';
  return os.versionName === '10' ? 'Windows 10 or 11' : `Windows ${os.versionName ?? ''}`.trim();
}

function iosOf({ browser, os }: Agent): string | undefined {
  const safari = browser.name === 'Safari' ? browser.version : undefined;
  return safari !== undefined && Number.parseInt(safari, 10) >= SAFARI_OF_IOS ? safari : os.version;
}

function hintsIn({ platform, platform_version }: DeviceReport): Hints {
  const version = textIn(platform_version, /^\d{1,5}(\.\d{1,5}){0,3}$/);
  return { platform: textIn(platform, /^[\w ]{1,32}$/), version: version?.replace(/(\.0)+$/, '') };
}

function named(name: string | undefined, version: string | undefined): string | null {
  return name ? [name, version].filter(Boolean).join(' ').slice(0, MAX_NAME) : null;
}

function zoneIn(value: unknown): string | null {
  const zone = textIn(value, /^[A-Za-z][\w+/-]*$/, MAX_ZONE);
  return zone !== null && isKnown(() => new Intl.DateTimeFormat('en', { timeZone: zone })) ? zone : null;
}

function languageIn(value: unknown): string | null {
  const tag = textIn(value, /^[A-Za-z][A-Za-z\d-]*$/, MAX_LANGUAGE);
  return tag !== null && isKnown(() => new Intl.Locale(tag)) ? tag : null;
}

/** Intl throws a RangeError for what it does not know. */
function isKnown(look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch {
    return false;
  }
}

function textIn(value: unknown, shape: RegExp, max = MAX_NAME): string | null {
  return typeof value === 'string' && value.length <= max && shape.test(value) ? value : null;
}
