/** The yardstick: a loop of plain undici POSTs of the same bodies to the same receivers, and nothing else. */
import { Agent } from 'undici';

export type Task = { urls: string[]; body: string; count: number; atOnce: number };

process.on('message', (task: Task) => void work(task));

async function work({ urls, body, count, atOnce }: Task): Promise<void> {
  const agent = new Agent({ pipelining: 1 });
  let next = 0;
  const cpu = process.cpuUsage();
  const worker = async () => {
    while (next < count) {
      const url = new URL(urls[next++ % urls.length] ?? '');
      const answer = await agent.request({
        origin: url.origin,
        path: url.pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'webhook-id': String(next) },
        body,
      });
      await answer.body.dump();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(cpu);
  await agent.close();
  process.send?.({ cpuSeconds: (user + system) / 1e6 });
}
