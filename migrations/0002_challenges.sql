-- The challenge, everything that ever happened to it, and the answers kept for repeated creates.

create table challenges (
  id uuid primary key,
  tenant_id uuid not null,
  integration_id uuid not null references integrations,
  mode text not null check (mode in ('test', 'live')),
  status text not null check (status in ('initiated', 'in-progress', 'verified', 'failed', 'expired')),
  failure_reason text,
  target_user_id text,
  target_user_email text,
  requester_id text not null,
  -- of a person who asked in Slack: what others know them by
  requester_email text,
  context text,
  -- the number of the ticket it is about, and two digits that both sides see, so that the person can tell who asks
  ticket text,
  verification_code text not null,
  -- json, not jsonb, here and below: what was put in comes out in the same order
  metadata json not null,
  -- frozen at create: the request's, else the integration's, else none
  callback_url text,
  -- where the person is sent afterwards
  return_url text,
  -- frozen at create: how the person proves who they are (null: nothing was configured yet), and in how many runs
  provider text,
  provider_attempts integer not null default 1,
  verification_token_hash text not null,
  -- the browser that pressed Continue last; only it may go on
  browser_hash text,
  target_response text,
  auth_method text,
  -- how the person signed in: when, how strongly, by which methods, as whom, and by what that was the target
  auth_time timestamptz,
  acr text,
  amr text[],
  subject json,
  subject_match text,
  device_fingerprint json,
  -- the provider's newest word; what it found beside its decision, and how far the person came there; no personal data
  provider_status text,
  provider_signals jsonb not null default '[]',
  progress jsonb not null default '[]',
  -- the person said that it was not them: instead of verifying, or afterwards
  incident_reported_at timestamptz,
  incident_comment text,
  disputed boolean not null default false,
  -- the Slack workspace in which the person was asked; null: the caller gives them the link
  slack_instance_id uuid references integrations,
  -- how many events were announced so far
  event_sequence integer not null default 0,
  created_at timestamptz not null,
  started_at timestamptz,
  completed_at timestamptz,
  expires_at timestamptz not null,
  -- frozen when verified; a dispute takes it away
  valid_until timestamptz,
  -- a verified result is spent once
  consumed_at timestamptz,
  -- a test target, or one that is simulated: what it does by itself, and when
  acts_as text check (acts_as in ('verify', 'deny', 'expire', 'incident')),
  acts_at timestamptz,
  -- W3C trace context of the request that asked for it
  traceparent text,
  -- personal data was taken out; what is left is a tombstone
  erased_at timestamptz,
  check (target_user_id is not null or target_user_email is not null or erased_at is not null),
  check ((completed_at is null) = (status in ('initiated', 'in-progress'))),
  check ((valid_until is not null) = (status = 'verified' and not disputed)),
  check (status = 'verified' or (not disputed and consumed_at is null)),
  check (incident_reported_at is not null or (not disputed and incident_comment is null)),
  check ((acts_as is null) = (acts_at is null)),
  check (acts_as is null or mode = 'test')
);
create index challenges_by_tenant on challenges (tenant_id, mode, id desc);
create index challenges_by_email on challenges (tenant_id, lower(target_user_email)) where target_user_email is not null;
create index challenges_by_target on challenges (tenant_id, target_user_id) where target_user_id is not null;
create index challenges_acting on challenges (acts_at) where acts_at is not null and status in ('initiated', 'in-progress');
create index challenges_open on challenges (expires_at) where status in ('initiated', 'in-progress');

-- Append only; but erasing a challenge takes the addresses of devices out of its details.
create table audit_entries (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  -- null: about an endpoint or many deliveries; detail says which
  challenge_id uuid,
  at timestamptz not null,
  actor text not null,
  action text not null,
  detail jsonb
);
create index audit_entries_by_tenant on audit_entries (tenant_id, id);
create index audit_entries_by_challenge on audit_entries (challenge_id, id);

-- A repeated create gets the same answer. The answer holds the link's token, so it is sealed.
create table idempotency_keys (
  integration_id uuid not null,
  key text not null,
  request_hash text not null,
  answer_sealed text not null,
  created_at timestamptz not null,
  primary key (integration_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
