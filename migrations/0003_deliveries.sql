-- The outbox: events are committed with the change they announce; deliveries carry them to one endpoint each.

create table events (
  id uuid primary key,
  tenant_id uuid not null,
  challenge_id uuid not null references challenges,
  type text not null,
  sequence integer not null,
  -- the exact bytes that are signed and sent on every attempt; text, because jsonb would rewrite them
  body text not null,
  occurred_at timestamptz not null,
  unique (challenge_id, sequence)
);

create table deliveries (
  id uuid primary key,
  event_id uuid not null references events,
  tenant_id uuid not null,
  integration_id uuid not null references integrations,
  url text not null,
  status text not null default 'pending' check (status in ('pending', 'sending', 'delivered', 'dead')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  -- until then a queue job is believed to carry it
  handed_until timestamptz,
  -- while sending: whose attempt it is, and when it counts as lost
  lease_token uuid,
  lease_until timestamptz,
  created_at timestamptz not null,
  completed_at timestamptz
) with (fillfactor = 80);
create index deliveries_due on deliveries (next_attempt_at) where status in ('pending', 'sending');
create index deliveries_by_event on deliveries (event_id);

-- Append only.
create table delivery_attempts (
  id bigint generated always as identity primary key,
  delivery_id uuid not null references deliveries,
  attempt integer not null,
  url text not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  status_code integer,
  error_class text,
  error_message text,
  response_excerpt text,
  remote_address text
);
create index delivery_attempts_by_delivery on delivery_attempts (delivery_id, attempt);
