import supertest from 'supertest';
import type { Response, Test } from 'supertest';
import type { Created, TestServer } from './server.ts';

/** What a script tells about a device. */
export const DEVICE = { screen: '1920x1080', timezone: 'Europe/Berlin', language: 'en-GB' };
/** What pressing the button of a form adds to it. */
export const CLICK = { go: 'yes' };

/** A person with a browser: keeps cookies, follows nothing by itself. */
export function createPerson(server: Pick<TestServer, 'url'>) {
  const agent = supertest.agent(server.url);
  const tokenOf = (created: Created) => new URL(created.verification_url).searchParams.get('token') ?? '';
  const post = (path: string, fields: object = {}) => agent.post(path).type('form').send(fields);
  const person = {
    agent,
    /** Opens the link, as a scanner would too. */
    open: (created: Created) =>
      agent.get(new URL(created.verification_url).pathname).query({ token: tokenOf(created) }),
    /** Presses the button of the start page. */
    press: (created: Created) =>
      post(`/challenge/start/${created.challenge_id}`, { token: tokenOf(created), ...CLICK }),
    /** Tells about the device, as the script of the page does. */
    tell: (created: Created, facts: object = DEVICE) =>
      agent.post(`/challenge/${created.challenge_id}/device`).send(facts),
    /** Adds something (or nothing) and goes on to where people prove who they are. */
    answer: (created: Created, response = '') =>
      post(`/challenge/${created.challenge_id}/answer`, { response, ...CLICK }),
    /** All of that: presses Start, and unless that leads elsewhere tells about the device and goes on. */
    start: (created: Created) =>
      new Steps(async (prepare) => {
        const started = await prepare(person.press(created));
        if (!started.headers.location?.endsWith('/answer')) return started;
        // By hand, because the jar keeps what is for https to itself.
        const cookie = cookiesOf(started);
        await prepare(person.tell(created).set('Cookie', cookie));
        return prepare(person.answer(created).set('Cookie', cookie));
      }),
    /** Decides in the sandbox: approve, decline or report, the last perhaps with a comment. */
    decide: (created: Created, decision: string, comment?: string) =>
      post(`/challenge/${created.challenge_id}/sandbox`, { decision, comment }),
    /** Says that it was somebody else, before the end or after the fact. */
    report: (created: Created, comment?: string) =>
      post(`/challenge/${created.challenge_id}/report`, { comment, ...CLICK }),
    /** Says so by the link alone. */
    reportByLink: (created: Created, comment?: string) =>
      post(`/challenge/start/${created.challenge_id}/report`, { token: tokenOf(created), comment, ...CLICK }),
    /** Asks for another attempt after one that did not work. */
    retry: (created: Created) => post(`/challenge/${created.challenge_id}/retry`, CLICK),
    result: (created: Created) => agent.get(`/challenge/${created.challenge_id}/result`),
  };
  return person;
}

/** The cookies that an answer sets, as the browser sends them back. */
export function cookiesOf({ headers }: Response): string {
  const set = (headers['set-cookie'] ?? []) as unknown as string[];
  return set.map((cookie) => cookie.split(';')[0]).join('; ');
}

/** Several requests that are prepared and judged like one of supertest's: by the last answer. */
class Steps implements PromiseLike<Response> {
  readonly #run: (prepare: (test: Test) => Test) => Promise<Response>;
  readonly #headers: { [name: string]: string }[] = [];
  readonly #expected: [string, string | RegExp][] = [];
  #status: number | undefined;

  constructor(run: (prepare: (test: Test) => Test) => Promise<Response>) {
    this.#run = run;
  }

  set(name: string | { [name: string]: string }, value = ''): this {
    this.#headers.push(typeof name === 'string' ? { [name]: value } : name);
    return this;
  }

  expect(status: number): this;
  expect(header: string, value: string | RegExp): this;
  expect(what: number | string, value: string | RegExp = ''): this {
    if (typeof what === 'number') this.#status = what;
    else this.#expected.push([what, value]);
    return this;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- what supertest returns is one as well
  then<T, E>(
    onFulfilled?: ((response: Response) => T | PromiseLike<T>) | null,
    onRejected?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#judge().then(onFulfilled, onRejected);
  }

  async #judge(): Promise<Response> {
    const prepare = (test: Test) => this.#headers.reduce((prepared, headers) => prepared.set(headers), test);
    const response = await this.#run(prepare);
    if (this.#status !== undefined && response.status !== this.#status)
      throw new Error(`expected ${this.#status}, got ${response.status}: ${response.text}`);
    for (const [header, value] of this.#expected) {
      const sent = String(response.headers[header.toLowerCase()]);
      if (typeof value === 'string' ? sent !== value : !value.test(sent))
        throw new Error(`expected ${header}: ${String(value)}, got ${sent}`);
    }
    return response;
  }
}
