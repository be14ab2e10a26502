-- Sessions, what ended ones leave behind while a token of theirs may live, and what slows guessing.
create table auth_sessions (
    id bigserial primary key,
    user_id bigint not null references users (id) on delete cascade,
    -- the random name of its refresh tokens' family
    family uuid not null unique,
    -- how often it was refreshed, and the SHA-256 of the newest refresh token
    sequence integer not null default 0,
    digest bytea not null,
    rotated_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    ip text,
    user_agent text
);
create index auth_sessions_user on auth_sessions (user_id);
create index auth_sessions_expiry on auth_sessions (expires_at);

-- Every worker reads what is new here; no foreign key, for sessions go before their tokens do.
create table auth_revocations (
    sid bigint primary key,
    revoked_at timestamptz not null default now()
);
create index auth_revocations_time on auth_revocations (revoked_at);

-- Failed guesses of an account's password from one network. `account` is a keyed hash of the
-- address, whether or not it has an account.
create table auth_failures (
    account bytea not null,
    network text not null,
    failures integer not null,
    last_failure timestamptz not null,
    blocked_until timestamptz not null,
    primary key (account, network)
);
create index auth_failures_time on auth_failures (last_failure);

-- When the last mails of a kind were asked for, newest first, so that nobody is flooded.
create table auth_mailings (
    account bytea not null,
    purpose text not null,
    times timestamptz[] not null,
    primary key (account, purpose)
);
