-- Who uses the server: tenants, the integrations they configure, and the keys and secrets of those.

create table tenants (
  id uuid primary key,
  name text not null,
  -- null: the server's default applies
  default_expiry_minutes integer check (default_expiry_minutes between 1 and 10080),
  -- whom people may ask, shown on every page: email, phone, slack, url; what is missing is not shown
  support jsonb not null default '{}',
  -- shown on every page beside the name
  logo bytea,
  logo_type text check (logo_type in ('image/png', 'image/jpeg', 'image/webp')),
  created_at timestamptz not null default now(),
  check ((logo is null) = (logo_type is null))
);

-- What a tenant decided for one mode; without a row the defaults hold.
create table tenant_modes (
  tenant_id uuid not null references tenants,
  mode text not null check (mode in ('test', 'live')),
  -- for challenges that name none; null: the account that was set up first
  default_provider text,
  -- how many runs at the provider one challenge may take
  provider_attempts integer not null default 1 check (provider_attempts between 1 and 10),
  -- where people may be sent afterwards, and which sites may frame the hosted pages
  allowed_domains text[] not null default '{}',
  primary key (tenant_id, mode)
);

create table integrations (
  id uuid primary key,
  tenant_id uuid not null references tenants,
  kind text not null default 'webhook' check (kind in ('webhook', 'slack')),
  name text not null,
  mode text not null check (mode in ('test', 'live')),
  callback_url text,
  -- which events are sent: those of its own challenges, and those about the tenant's endpoints, deliveries and secrets
  events text[] not null default '{challenge.completed,challenge.incident_reported,challenge.expired}',
  -- how its callbacks are sent; null: the server's settings
  retry_waits_s integer[],
  in_flight_cap integer check (in_flight_cap between 1 and 100),
  -- headers to add, as JSON; a CA, a client certificate and its key, as JSON
  headers_sealed text,
  tls_sealed text,
  created_at timestamptz not null default now(),
  -- one after another: what a message shows next must not arrive before what it shows now
  check (kind <> 'slack' or in_flight_cap is not distinct from 1)
);
create index integrations_by_tenant on integrations (tenant_id, id);

create table api_keys (
  id uuid primary key,
  integration_id uuid not null references integrations,
  key_hash text not null unique,
  -- the first characters, so that people can tell keys apart
  key_prefix text not null,
  -- what the key may do, and whether it sees its own integration's challenges only
  scopes text[] not null default '{challenges:create,challenges:read,deliveries:manage}'
    check (scopes <@ '{challenges:create,challenges:read,challenges:erase,deliveries:manage}' and scopes <> '{}'),
  own_only boolean not null default false,
  created_at timestamptz not null default now(),
  -- null: valid until replaced or revoked
  valid_until timestamptz
);
create index api_keys_by_integration on api_keys (integration_id, created_at);

-- Keys for signing callbacks. Several live rows are a rotation in progress.
create table callback_secrets (
  id uuid primary key,
  integration_id uuid not null references integrations,
  sealed text not null,
  created_at timestamptz not null default now(),
  valid_until timestamptz
);
create index callback_secrets_by_integration on callback_secrets (integration_id, created_at);
