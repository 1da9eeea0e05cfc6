import type { Agent } from 'undici';
import { createAgent } from './outbound-agent.ts';
import type { Connect } from './outbound-agent.ts';

const AGENTS_MAX = 256;

/** Agents by key, the most recently used ones; a request never gets a connection that was opened under another key. */
export function createPools() {
  const agents = new Map<string, Agent>();
  let latest: { key: string; agent: Agent } | undefined;
  const retiring = new Set<Promise<void>>();

  function retire(key: string, agent: Agent): void {
    agents.delete(key);
    const done = agent.close().finally(() => retiring.delete(done)); // lets requests under way end first
    retiring.add(done);
  }

  return {
    agentFor(key: string, connectWith: () => Connect): Agent {
      if (latest?.key === key) return latest.agent;
      const agent = agents.get(key) ?? createAgent(connectWith());
      latest = { key, agent };
      agents.delete(key);
      agents.set(key, agent); // the map keeps the order of use
      const [eldest] = agents.size > AGENTS_MAX ? agents : [];
      if (eldest) retire(...eldest);
      return agent;
    },
    /** Waits for requests under way and closes all connections. */
    async close(): Promise<void> {
      for (const [key, agent] of agents) retire(key, agent);
      await Promise.all(retiring);
    },
  };
}
