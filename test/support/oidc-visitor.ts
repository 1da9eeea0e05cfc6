/** A browser without a screen: keeps cookies by host, follows redirects within the IdP, presses its buttons. */
export function createVisitor() {
  const jar = new Map<string, Map<string, string>>();

  async function send(url: string, form?: { [name: string]: string }) {
    const cookies = jar.get(new URL(url).host) ?? new Map<string, string>();
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    });
    for (const set of response.headers.getSetCookie()) {
      const [name = '', value = ''] = set.split(';')[0]?.split('=') ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    jar.set(new URL(url).host, cookies);
    return response;
  }

  /** Goes on until the IdP shows a page, or sends the browser elsewhere: then undefined and where. */
  async function follow(
    url: string,
    form?: { [name: string]: string },
  ): Promise<{ url: string; page?: string }> {
    const { origin } = new URL(url);
    let next = { url, form };
    for (;;) {
      const response = await send(next.url, next.form);
      const location = response.headers.get('location');
      if (!location) return { url: next.url, page: await response.text() };
      next = { url: new URL(location, next.url).href, form: undefined };
      if (new URL(next.url).origin !== origin) return { url: next.url };
    }
  }

  return {
    /** Signs in at the IdP as this person and agrees to everything; returns the address it sends the browser back to. */
    async signIn(url: string, login: string): Promise<string> {
      let at = await follow(url);
      for (let step = 0; at.page !== undefined && step < 3; step += 1) {
        const action = /action="([^"]+)"/.exec(at.page)?.[1];
        if (!action) throw new Error(`no form at ${at.url}: ${at.page.slice(0, 300)}`);
        const prompt = /name="prompt" value="(\w+)"/.exec(at.page)?.[1] ?? '';
        at = await follow(
          new URL(action, at.url).href,
          prompt === 'login' ? { prompt, login, password: 'x' } : { prompt },
        );
      }
      return at.url;
    },
    /** Presses Cancel on the IdP's page. */
    async cancel(url: string): Promise<string> {
      const { page = '', url: at } = await follow(url);
      const abort = /href="([^"]+\/abort)"/.exec(page)?.[1];
      if (!abort) throw new Error(`nothing to cancel at ${at}`);
      return (await follow(new URL(abort, at).href)).url;
    },
  };
}
