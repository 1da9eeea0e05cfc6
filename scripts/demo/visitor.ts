import { check } from './steps.ts';

/** A person's browser, as far as a demo needs one: keeps cookies by origin, follows nothing by itself. */
export function createVisitor() {
  const jar = new Map<string, string>();

  const visit = async (url: string, form?: Record<string, string>) => {
    const { origin } = new URL(url);
    const answer = await fetch(url, {
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
      headers: { cookie: jar.get(origin) ?? '', 'user-agent': USER_AGENT },
      redirect: 'manual',
    });
    const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]);
    if (cookies.length > 0) jar.set(origin, cookies.join('; '));
    const location = answer.headers.get('location');
    return {
      status: answer.status,
      html: await answer.text(),
      /** where the answer leads */
      next: location === null ? undefined : new URL(location, url).href,
    };
  };

  return {
    /** Opens a page, which must be there. */
    async open(url: string): Promise<string> {
      const { status, html } = await visit(url);
      check(status === 200, `the page answered ${status}: ${headingOf(html)}`);
      return html;
    },
    /** Goes where a link leads in the end. */
    async follow(url: string): Promise<{ url: string; html: string }> {
      const { status, html, next } = await visit(url);
      if (next !== undefined) return this.follow(next);
      check(status === 200, `the page answered ${status}: ${headingOf(html)}`);
      return { url, html };
    },
    /** Sends a form and returns where the answer leads. */
    async submit(url: string, form: Record<string, string>): Promise<string> {
      const next = await this.press(url, form);
      check(next !== undefined, 'the form leads nowhere');
      return next;
    },
    /** Sends JSON, as a script of the page does. */
    async send(url: string, json: object): Promise<void> {
      const headers = { cookie: jar.get(new URL(url).origin) ?? '', 'user-agent': USER_AGENT };
      const type = { 'content-type': 'application/json' };
      const body = JSON.stringify(json);
      const { status } = await fetch(url, { method: 'POST', headers: { ...headers, ...type }, body });
      check(status === 204, `what the script sent was answered ${status}`);
    },
    /** Sends a form and returns where the answer leads, if it leads anywhere. */
    async press(url: string, form: Record<string, string>): Promise<string | undefined> {
      const { status, html, next } = await visit(url, form);
      check(next !== undefined || status === 200, `the form answered ${status}: ${headingOf(html)}`);
      return next;
    },
  };
}

/** The main heading of a page. */
export function headingOf(html: string): string {
  return /<h1[^>]*>(.*?)<\/h1>/.exec(html)?.[1] ?? 'no heading';
}

const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
