import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Everything that is measured, and the registry that prints it. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Ten seconds are the whole budget of an attempt. */
const ATTEMPT_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];
/** From at once to the end of the default schedule: a retry is counted in minutes and hours. */
const SUCCESS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3_600, 21_600, 86_400, 259_200];
const PICKUP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];
const CLAIMED = [1, 2, 5, 10, 20, 50, 100, 200];
/** Sign-ins that alerts ask about. */
const SIGN_INS_WATCHED = [
  'begun',
  'verified',
  'other_browser',
  'subject_mismatch',
  'idp_unavailable',
  'idp_error',
];
const FLUSH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/**
 * The metrics of one process, on a registry of their own: two servers in one process do not mix. No label ever holds
 * an id, a URL or a tenant's name: each value is a series that Prometheus keeps.
 */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { registry, ...counters(registry), ...histograms(registry), ...gauges(registry) };
}

function counters(registry: Registry) {
  const counter = counterOn(registry);
  return {
    deliveriesTotal: counter('deliveries_total', 'What became of deliveries after a turn', {
      outcome: ['delivered', 'retry', 'deferred', 'dead', 'canceled'],
    }),
    attemptsTotal: counter('attempts_total', 'Attempts by what went wrong; none: answered 2xx', {
      error_class: ['none'],
    }),
    givenUpTotal: counter('given_up_total', 'Deliveries that became dead', { reason: [] }),
    ssrfRefusedTotal: counter('ssrf_refused_total', 'Attempts refused because of where they lead', {
      rule: [],
    }),
    breakerTransitionsTotal: counter(
      'breaker_transitions_total',
      'Circuit breakers of endpoints that moved',
      {
        to: ['open', 'half_open', 'closed'],
      },
    ),
    endpointsDisabledTotal: counter('endpoints_disabled_total', 'Endpoints that were disabled', {
      reason: [],
    }),
    leaseReclaimedTotal: counter(
      'lease_reclaimed_total',
      'Endpoints taken over from a process that fell silent',
    ),
    staleFinishTotal: counter('stale_finish_total', 'Results discarded because the lease was lost'),
    replaysTotal: counter('replays_total', 'Deliveries that somebody sent again'),
    wakesTotal: counter('wakes_total', 'Jobs that woke up the delivery of an endpoint'),
    redirectsRefusedTotal: counter('redirects_refused_total', 'Answers 3xx, which are never followed'),
    connectionsTotal: counter('connections_total', 'Attempts by whether their connection stood already', {
      reused: ['true', 'false'],
    }),
    inboundTotal: counter('inbound_total', 'Webhooks of providers by what happened at the door', {
      provider: [],
      result: [],
    }),
    inboundHandledTotal: counter('inbound_handled_total', 'Webhooks of providers by what became of them', {
      outcome: [],
    }),
    signInsTotal: counter('sign_ins_total', 'Sign-ins at companies’ IdPs by what came of them', {
      kind: ['oidc', 'saml'],
      outcome: SIGN_INS_WATCHED,
    }),
    slackRequestsTotal: counter('slack_requests_total', 'What Slack sent, by what happened at the door', {
      kind: ['commands', 'interactions'],
      outcome: ['taken', 'bad_signature', 'old', 'other_team'],
    }),
    flushRetriesTotal: counter('flush_retries_total', 'Times that writing results failed and was repeated'),
  };
}

function histograms(registry: Registry) {
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `countersign_${name}`, help, buckets, registers: [registry] });
  return {
    attemptDurationSeconds: histogram(
      'attempt_duration_seconds',
      'From name resolution to the end of the answer',
      ATTEMPT_SECONDS,
    ),
    firstSuccessLatencySeconds: histogram(
      'first_success_latency_seconds',
      'From the commit of an event to its 2xx',
      SUCCESS_SECONDS,
    ),
    pickupLagSeconds: histogram('pickup_lag_seconds', 'From due to picked', PICKUP_SECONDS),
    claimBatchSize: histogram('claim_batch_size', 'Deliveries picked at a time', CLAIMED),
    flushDurationSeconds: histogram(
      'flush_duration_seconds',
      'Writing a batch of results to the database',
      FLUSH_SECONDS,
    ),
  };
}

function gauges(registry: Registry) {
  const gauge = <T extends string = never>(name: string, help: string, ...labelNames: T[]) =>
    new Gauge({ name: `countersign_${name}`, help, labelNames, registers: [registry] });
  return {
    backlog: gauge('backlog', 'Deliveries that are due and wait', 'lane'),
    oldestDueSeconds: gauge(
      'oldest_due_seconds',
      'How long the oldest delivery waits that could be sent and that nobody sends',
    ),
    inFlight: gauge('in_flight', 'Attempts of this process under way'),
    endpoints: gauge('endpoints', 'Endpoints by how they are', 'state'),
    deadTotal: gauge('dead_total', 'Deliveries that were given up and not sent again'),
    deadTupleRatio: gauge('dead_tuple_ratio', 'Share of a table that waits for vacuum', 'table'),
    oldestTransactionSeconds: gauge('oldest_transaction_seconds', 'Age of the oldest open transaction'),
  };
}

/** Label values that are known ahead start at 0, so that the first event already counts as an increase. */
function counterOn(registry: Registry) {
  return <T extends string = never>(name: string, help: string, labels?: { [label in T]: string[] }) => {
    const labelNames = Object.keys(labels ?? {}) as T[];
    const made = new Counter({ name: `countersign_${name}`, help, labelNames, registers: [registry] });
    if (labels && labelNames.length > 0) for (const values of combinations(labels)) made.inc(values, 0);
    return made;
  };
}

/** Every value of each label with every value of the others. */
function combinations<T extends string>(labels: { [label in T]: string[] }): Partial<Record<T, string>>[] {
  const known = Object.entries(labels) as [T, string[]][];
  return known.reduce<Partial<Record<T, string>>[]>(
    (before, [label, values]) => before.flatMap((one) => values.map((value) => ({ ...one, [label]: value }))),
    [{}],
  );
}
