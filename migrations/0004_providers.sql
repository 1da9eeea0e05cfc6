-- Document-and-face providers: the tenant's accounts, runs made there, and the webhooks they send us.

create table provider_accounts (
  id uuid primary key,
  tenant_id uuid not null references tenants,
  provider text not null,
  mode text not null check (mode in ('test', 'live')),
  settings_sealed text not null,
  -- what webhooks may still be signed with while the provider's side is being changed
  previous_sealed text,
  previous_until timestamptz,
  -- networks that webhooks may come from; none: all
  allowed_ips text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, mode, provider)
);

create table verification_sessions (
  id uuid primary key,
  challenge_id uuid not null references challenges,
  provider_account_id uuid not null references provider_accounts,
  -- opening: being created at the provider; open: a decision is awaited; ended: no report of it matters any more
  status text not null check (status in ('opening', 'open', 'ended')),
  provider_session_id text,
  url_sealed text,
  -- what the provider wants to be shown when it is asked about the session
  token_sealed text,
  -- the newest decision seen: its time in a form that sorts, and its word
  last_decided_at text,
  last_decision text,
  created_at timestamptz not null,
  checks integer not null default 0,
  next_check_at timestamptz,
  unique (provider_account_id, provider_session_id)
);
-- one run at a time: two clicks must not open two sessions at the provider
create unique index verification_sessions_current on verification_sessions (challenge_id) where status <> 'ended';
create index verification_sessions_by_challenge on verification_sessions (challenge_id);
create index verification_sessions_to_check on verification_sessions (next_check_at) where status = 'open';

-- Every authentic webhook, kept once under its event key before it is acknowledged; and, counted, what was refused.
create table inbox (
  id uuid primary key,
  provider_account_id uuid not null references provider_accounts,
  event_key text not null,
  kind text not null,
  provider_session_id text,
  provider_attempt_id text,
  -- the challenge it names, so that erasing finds it though no session could be; never a way in
  echoed_challenge_id uuid,
  -- null: never kept (it was refused), its time is over, or the challenge was erased
  body_sealed text,
  received_at timestamptz not null,
  -- the address it came from first, how often it came, and when last
  address text,
  copies integer not null default 1,
  last_received_at timestamptz not null,
  tries integer not null default 0,
  next_try_at timestamptz,
  handled_at timestamptz,
  outcome text,
  -- why it was refused
  reason text,
  unique (provider_account_id, event_key),
  check (body_sealed is not null or handled_at is not null),
  check ((reason is not null) = (outcome is not distinct from 'refused'))
);
create index inbox_unhandled on inbox (next_try_at) where handled_at is null;
create index inbox_by_session on inbox (provider_account_id, provider_session_id);
create index inbox_by_attempt on inbox (provider_account_id, provider_attempt_id) where provider_attempt_id is not null;
create index inbox_by_account on inbox (provider_account_id, id);
create index inbox_by_challenge on inbox (echoed_challenge_id) where body_sealed is not null;
create index inbox_with_body on inbox (received_at) where body_sealed is not null;
create index inbox_refused on inbox (received_at) where reason is not null;
