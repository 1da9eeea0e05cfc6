-- Companies' sign-in services, what happens while a person signs in there, and the keys that sign proofs.

create table identity_providers (
  id uuid primary key,
  tenant_id uuid not null references tenants,
  mode text not null check (mode in ('test', 'live')),
  kind text not null check (kind in ('oidc', 'saml')),
  -- what people know it by
  name text not null,
  settings_sealed text not null,
  -- where it sends browsers back to. No two OpenID providers share a path: an answer that one of them gave must not be
  -- taken for another's (RFC 9700, 4.4)
  callback_path text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, mode, kind)
);
create unique index identity_providers_oidc_callback on identity_providers (callback_path) where kind = 'oidc';

-- Who else a person is known as: whoever signs in as `alias` is the target `identity`. Both folded to lower case.
create table subject_aliases (
  tenant_id uuid not null references tenants,
  alias text not null,
  identity text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, alias)
);
create index subject_aliases_by_identity on subject_aliases (tenant_id, identity);

-- One way to the IdP and back. `state` finds it again, once.
create table sign_in_attempts (
  id uuid primary key,
  challenge_id uuid not null references challenges,
  identity_provider_id uuid not null references identity_providers,
  -- open: the person is at the IdP; answered: back, not yet known to be the same browser; ended
  status text not null check (status in ('open', 'answered', 'ended')),
  state_hash text not null unique,
  -- where the person was sent, and what the answer is checked against; null once it has ended
  kept_sealed text,
  -- the browser that clicked: the cookie it had then, the name it keeps over several clicks, and its address
  browser_hash text not null,
  browser text not null,
  address text,
  clicked_at timestamptz not null,
  -- who signed in, and the ticket that only the browser coming from the IdP was given
  answer_sealed text,
  ticket_hash text,
  answered_at timestamptz,
  -- why it ended: verified, or a reason from the audit trail
  outcome text,
  ended_at timestamptz,
  check ((status = 'ended') = (outcome is not null))
);
create unique index sign_in_attempts_current on sign_in_attempts (challenge_id) where status <> 'ended';
-- those that are not tidied up yet: still under way, or with a browser and an address to forget
create index sign_in_attempts_under_way on sign_in_attempts (clicked_at) where status <> 'ended';
create index sign_in_attempts_to_forget on sign_in_attempts (ended_at) where browser <> '';
create index sign_in_attempts_by_challenge on sign_in_attempts (challenge_id, clicked_at);

-- SAML assertions that were accepted once, and the requests they answer: neither counts a second time.
create table used_assertions (
  id text primary key,
  expires_at timestamptz not null
);
create index used_assertions_by_expiry on used_assertions (expires_at);

-- Keys that sign proofs. The public half stays published for ever: a proof may be checked years later.
create table proof_keys (
  kid text primary key,
  public_jwk json not null,
  -- null once it no longer signs
  private_sealed text,
  created_at timestamptz not null,
  -- published before it is used, so that whoever keeps a copy of the list has it by then
  signs_from timestamptz not null,
  retired_at timestamptz,
  check ((private_sealed is null) = (retired_at is not null))
);
