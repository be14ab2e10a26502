-- Durable jobs and schedules. A job is enqueued in the transaction that calls for it; done jobs are deleted.
create table jobs (
    id          bigint generated always as identity primary key,
    kind        text not null,
    payload     jsonb not null default '{}',
    unique_name text,
    mutex       text,
    state       text not null default 'ready' check (state in ('ready', 'running', 'dead')),
    attempts    integer not null default 0,
    run_at      timestamptz not null default now(),
    lease_until timestamptz,
    worker      text,
    last_error  text,
    created_at  timestamptz not null default now(),
    changed_at  timestamptz not null default now()
);

create index jobs_due on jobs (kind, run_at, id) where state = 'ready';
create index jobs_state on jobs (state, id) where state <> 'ready';

-- A second job of a name is not enqueued while the first is pending; one that runs may be followed by another.
create unique index jobs_unique on jobs (unique_name) where state = 'ready' and unique_name is not null;

-- Two of a mutex never run at once, whatever the claiming statement believes.
create unique index jobs_mutex on jobs (mutex) where state = 'running' and mutex is not null;

create table schedules (
    name     text primary key,
    next_run timestamptz not null,
    last_run timestamptz
);
