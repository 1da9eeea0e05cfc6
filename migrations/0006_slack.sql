-- Slack: the tenant's workspaces, and the messages in them that show how a challenge stands.

create table slack_workspaces (
  integration_id uuid primary key references integrations,
  -- Slack itself, or where its API is reached instead (GovSlack)
  api_url text not null,
  -- the app's bot token and signing secret, as JSON; null until the app is installed, and once it is disconnected
  settings_sealed text,
  -- what Slack says of the token
  team_id text,
  team_name text,
  bot_user_id text,
  -- where results go that no person asked for
  channel_id text,
  connected_at timestamptz,
  check ((settings_sealed is null) = (connected_at is null)),
  check (settings_sealed is null or (team_id is not null and bot_user_id is not null))
);

-- One message that is kept up to date. What it shows follows from the challenge; a delivery of its event means only
-- that it may have to be posted or rewritten.
create table slack_messages (
  event_id uuid primary key references events,
  challenge_id uuid not null references challenges,
  -- card: asks the target; notice: tells whoever asked
  role text not null check (role in ('card', 'notice')),
  -- whom it is for: a person, or a channel; null, as both others, once the challenge is erased
  recipient text,
  -- both by their ids in Slack; the requester is the app's own bot when no person asked
  target_user text,
  requester_user text,
  is_automatic boolean not null,
  language text not null,
  -- the person's link, as long as it is of use
  link_sealed text,
  -- where it stands, once it was posted; and what it shows, as a hash
  channel_id text,
  ts text,
  shown_hash text,
  -- when posting it was begun without an answer so far: it may stand there
  posting_at timestamptz,
  -- Slack's time of the last press that counted
  pressed_at text,
  unique (challenge_id, role),
  check ((channel_id is null) = (ts is null)),
  check (num_nulls(recipient, target_user, requester_user) in (0, 3))
);
create index slack_messages_unposted on slack_messages (challenge_id) where role = 'card' and ts is null;
