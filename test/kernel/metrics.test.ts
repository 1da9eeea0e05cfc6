import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createMetrics } from '../../src/kernel/metrics.ts';

const METRICS = {
  counter: [
    ...['deliveries_total{outcome}', 'attempts_total{error_class}', 'given_up_total{reason}'],
    ...['ssrf_refused_total{rule}', 'breaker_transitions_total{to}', 'endpoints_disabled_total{reason}'],
    ...['lease_reclaimed_total', 'stale_finish_total', 'replays_total', 'wakes_total'],
    ...['redirects_refused_total', 'connections_total{reused}', 'flush_retries_total'],
    ...['inbound_total{provider,result}', 'inbound_handled_total{outcome}'],
    ...['sign_ins_total{kind,outcome}', 'slack_requests_total{kind,outcome}'],
  ],
  histogram: [
    ...['attempt_duration_seconds', 'first_success_latency_seconds', 'pickup_lag_seconds'],
    ...['claim_batch_size', 'flush_duration_seconds'],
  ],
  gauge: [
    ...['backlog{lane}', 'oldest_due_seconds', 'in_flight', 'endpoints{state}', 'dead_total'],
    ...['dead_tuple_ratio{table}', 'oldest_transaction_seconds'],
  ],
};

test('the metrics are the agreed ones, by name, type and label; no label could hold an id, a URL or a tenant', () => {
  const found = createMetrics()
    .registry.getMetricsAsArray()
    .filter(({ name }) => name.startsWith('countersign_'))
    .map((metric) => {
      const { name, type, labelNames } = metric as unknown as Record<'name' | 'type', string> & {
        labelNames: string[];
      };
      const labels = labelNames.length > 0 ? `{${labelNames.join()}}` : '';
      return `${type} ${name.replace('countersign_', '')}${labels}`;
    });
  const agreed = Object.entries(METRICS).flatMap(([type, names]) => names.map((name) => `${type} ${name}`));
  expect(found.sort()).toEqual(agreed.sort());
});

test('the process itself is measured too, on the same registry', async () => {
  const text = await createMetrics().registry.metrics();
  expect(text).toMatch(/^process_cpu_seconds_total \d/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds \d/m);
});

test('two servers in one process count apart', async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.wakesTotal.inc(3);
  expect(await one.registry.metrics()).toMatch(/^countersign_wakes_total 3$/m);
  expect(await other.registry.metrics()).toMatch(/^countersign_wakes_total 0$/m);
});

test('what is known to be possible stands at 0 before it happens, so that the first time is an increase', async () => {
  const metrics = createMetrics();
  expect(await metrics.registry.metrics()).toMatch(/^countersign_deliveries_total\{outcome="dead"\} 0$/m);
  metrics.deliveriesTotal.inc({ outcome: 'dead' });
  const text = await metrics.registry.metrics();
  expect(text).toMatch(/^countersign_deliveries_total\{outcome="dead"\} 1$/m);
  expect(text).toMatch(/^countersign_breaker_transitions_total\{to="half_open"\} 0$/m);
});

test('the histograms tell apart what their alerts and targets ask about', async () => {
  const metrics = createMetrics();
  metrics.attemptDurationSeconds.observe(9.9); // answered within its budget of 10 s …
  metrics.attemptDurationSeconds.observe(10.2); // … and not
  metrics.firstSuccessLatencySeconds.observe(80 * 3_600); // later than the whole default schedule
  const text = await metrics.registry.metrics();
  expect(text).toMatch(/^countersign_attempt_duration_seconds_bucket\{le="10"\} 1$/m);
  expect(text).toMatch(/^countersign_attempt_duration_seconds_bucket\{le="\+Inf"\} 2$/m);
  expect(text).toMatch(/^countersign_first_success_latency_seconds_bucket\{le="259200"\} 0$/m);
});

const documentation = () => readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');

test('the documentation explains every metric and knows no other', () => {
  const text = documentation();
  const table = text.split('\n').filter((line) => line.startsWith('| `'));
  const documented = table.map((line) => /^\| `([^`]+)`/.exec(line)?.[1] ?? '');
  expect(documented.sort()).toEqual(Object.values(METRICS).flat().sort());

  const names = new Set(Object.values(METRICS).flatMap((all) => all.map((name) => name.split('{')[0])));
  const used = [...text.matchAll(/countersign_(\w+)/g)].map(([, name = '']) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  );
  expect(used.length).toBeGreaterThan(0);
  expect(used.filter((name) => !names.has(name))).toEqual([]);
});

test('the rules of the documentation are YAML that can be pasted: every alert says when, and what it means', () => {
  const blocks = [...documentation().matchAll(/```yaml\n([^]*?)```/g)].map(([, yaml = '']): unknown =>
    parse(yaml),
  );
  const { groups } = blocks.find((block) => 'groups' in (block as object)) as {
    groups: { rules: object[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(4);
  for (const { for: _, ...rule } of rules as { for?: string }[]) {
    expect(rule).toEqual({
      alert: expect.stringMatching(/^Countersign/),
      expr: expect.stringContaining('countersign_'),
      annotations: { summary: expect.any(String) },
    });
  }
});
