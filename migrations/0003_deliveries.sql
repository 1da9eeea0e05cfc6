-- The outbox: events are committed with the change they announce; deliveries carry them to one endpoint each.

create table events (
  id uuid primary key,
  tenant_id uuid not null,
  mode text not null check (mode in ('test', 'live')),
  -- null: about an endpoint, a delivery or a secret, or a test, or a Slack command not carried out yet
  challenge_id uuid references challenges,
  -- the number of the news about the challenge; null: what is done in Slack is none
  sequence integer,
  type text not null,
  -- the exact bytes that are signed and sent on every attempt; text, because jsonb would rewrite them. null: deleted
  body text,
  -- W3C trace context, so that an attempt shows up in the trace of what caused it
  traceparent text,
  occurred_at timestamptz not null,
  unique (challenge_id, sequence),
  check (challenge_id is not null or sequence is null)
);
create index events_with_body on events (occurred_at, id) where body is not null;

-- Where callbacks go: one row for each origin that an integration's callbacks are sent to.
create table endpoints (
  -- made from the integration and the origin (uuid version 5), so that nobody has to look it up
  id uuid primary key,
  tenant_id uuid not null,
  integration_id uuid not null references integrations,
  mode text not null check (mode in ('test', 'live')),
  origin text not null,
  -- the one run that sends to it now, in whichever process; it alone writes the columns below
  lease_token uuid,
  lease_until timestamptz,
  -- attempts and failures of the current five minutes
  window_started_at timestamptz,
  window_attempts integer not null default 0,
  window_failures integer not null default 0,
  consecutive_failures integer not null default 0,
  consecutive_unreachable integer not null default 0,
  -- since when nothing has succeeded; null: the last attempt did
  failing_since timestamptz,
  last_success_at timestamptz,
  -- the breaker: null is closed; then open, and half-open once the time has come
  open_until timestamptz,
  opened_times integer not null default 0,
  probe_successes integer not null default 0,
  -- the receiver asked for a pause (Retry-After)
  paused_until timestamptz,
  -- how far on the way to being disabled, and when a dead and a failing delivery were last announced
  announced_percent integer not null default 0,
  dead_announced_at timestamptz,
  failing_announced_at timestamptz,
  -- nothing is sent until somebody enables it
  disabled_at timestamptz,
  disabled_reason text check (disabled_reason in ('failing', 'operator')),
  created_at timestamptz not null,
  unique (integration_id, origin),
  check ((disabled_at is null) = (disabled_reason is null))
) with (fillfactor = 50);
create index endpoints_by_tenant on endpoints (tenant_id, id);

-- URLs that answered 410 Gone: disabled, although others of the same origin may live.
create table gone_urls (
  endpoint_id uuid not null references endpoints,
  url text not null,
  gone_at timestamptz not null,
  primary key (endpoint_id, url)
);

create table deliveries (
  id uuid primary key,
  event_id uuid not null references events,
  endpoint_id uuid not null references endpoints,
  tenant_id uuid not null,
  integration_id uuid not null,
  url text not null,
  -- why there is this delivery: the event itself, a person who sends it again, a test
  trigger text not null default 'event' check (trigger in ('event', 'resend', 'test')),
  status text not null default 'pending' check (status in ('pending', 'delivered', 'dead', 'canceled')),
  -- what goes first: 0 the first three attempts, 1 what a person sends again, 2 later retries; 3 none yet: it
  -- waits for what the browser tells of the device
  lane smallint not null default 0,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  -- what the last attempt came to, and why it was given up
  last_status_code integer,
  last_error_class text,
  dead_reason text,
  -- since when a fault of ours has kept it from being sent
  deferred_since timestamptz,
  created_at timestamptz not null,
  completed_at timestamptz,
  check ((completed_at is null) = (status = 'pending'))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index deliveries_pending on deliveries (endpoint_id, lane, next_attempt_at, id) where status = 'pending';
create index deliveries_by_event on deliveries (event_id);
create index deliveries_by_tenant on deliveries (tenant_id, id);
create index deliveries_dead on deliveries (tenant_id, completed_at) where status = 'dead';

-- Append only; one partition for each day, made ahead and dropped when its time is over.
create table delivery_attempts (
  delivery_id uuid not null,
  attempt integer not null,
  url text not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  -- of it: name resolution, connecting (null on a connection that stood), and until the first byte of the answer
  dns_ms integer,
  connect_ms integer,
  first_byte_ms integer,
  status_code integer,
  error_class text,
  error_message text,
  response_excerpt text,
  remote_address text,
  primary key (delivery_id, started_at, attempt)
) partition by range (started_at);
-- for a clock that is far off
create table delivery_attempts_other partition of delivery_attempts default;
