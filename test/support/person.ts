import supertest from 'supertest';
import type { Created, TestServer } from './server.ts';

/** A person with a browser: keeps cookies, follows nothing by itself. */
export function createPerson(server: Pick<TestServer, 'url'>) {
  const agent = supertest.agent(server.url);
  const tokenOf = (created: Created) => new URL(created.verification_url).searchParams.get('token') ?? '';
  return {
    agent,
    /** Opens the link, as a scanner would too. */
    open: (created: Created) =>
      agent.get(new URL(created.verification_url).pathname).query({ token: tokenOf(created) }),
    /** Presses the button of the start page. */
    start: (created: Created) =>
      agent
        .post(`/challenge/start/${created.challenge_id}`)
        .type('form')
        .send({ token: tokenOf(created) }),
    /** Decides in the sandbox: approve, decline or report, the last perhaps with a comment. */
    decide: (created: Created, decision: string, comment?: string) =>
      agent.post(`/challenge/${created.challenge_id}/sandbox`).type('form').send({ decision, comment }),
    /** Says on the result page, after the fact, that it was somebody else. */
    report: (created: Created) => agent.post(`/challenge/${created.challenge_id}/report`),
    /** Asks for another attempt after one that did not work. */
    retry: (created: Created) => agent.post(`/challenge/${created.challenge_id}/retry`),
    result: (created: Created) => agent.get(`/challenge/${created.challenge_id}/result`),
  };
}
