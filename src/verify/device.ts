import bowser from 'bowser';

const MAX_USER_AGENT = 500;

/** What a request tells about the person's device; what only a script could tell stays null. */
export function deviceFacts(userAgent: string | undefined, ip: string | undefined) {
  const agent = userAgent ? bowser.parse(userAgent) : undefined;
  return {
    browser: named(agent?.browser.name, agent?.browser.version?.split('.').slice(0, 2).join('.')),
    os: named(agent?.os.name, agent?.os.versionName ?? agent?.os.version),
    screen: null,
    timezone: null,
    ip: ip ?? null,
    user_agent: userAgent?.slice(0, MAX_USER_AGENT) ?? null,
  };
}

function named(name: string | undefined, version: string | undefined): string | null {
  return name ? [name, version].filter(Boolean).join(' ') : null;
}
