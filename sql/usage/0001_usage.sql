-- What every user may do and has done: entitlements, the log of calls by month, and its roll-ups by the hour. The log is
-- made, or brought up from the earlier server's schema with its rows.

-- Quota periods are months counted from an anchor; of a 31st, the last day of a shorter month. In UTC, so that they are
-- the same for everybody. These two are the only place that knows; simple enough to be inlined where they are used.
create function usage_month(anchor timestamptz, months integer) returns timestamptz
    language sql immutable parallel safe
    return (anchor at time zone 'UTC' + make_interval(months => months)) at time zone 'UTC';

-- How many whole months lie between the anchor and a time: negative before the anchor.
create function usage_months(anchor timestamptz, at timestamptz) returns integer
    language plpgsql immutable parallel safe as $$
declare
    a timestamp := anchor at time zone 'UTC';
    b timestamp := at at time zone 'UTC';
    n integer := ((extract(year from b) - extract(year from a)) * 12 + extract(month from b) - extract(month from a))::integer;
begin
    return case when usage_month(anchor, n) > at then n - 1 else n end;
end
$$;

create function usage_period_start(anchor timestamptz, at timestamptz) returns timestamptz
    language sql immutable parallel safe return usage_month(anchor, usage_months(anchor, at));

create function usage_period_end(anchor timestamptz, at timestamptz) returns timestamptz
    language sql immutable parallel safe return usage_month(anchor, usage_months(anchor, at) + 1);

-- One row a user, with everything that a decision needs and answers. The plan's limit is not here: it is the
-- configuration's. Rows change with every call: the room on each page is for that.
create table entitlements (
    user_id      bigint primary key references users (id) on delete cascade,
    email        text not null,
    verified     boolean not null,
    disabled     boolean not null default false,
    -- what is paid for: kept by the hooks of subscriptions
    plan_id      text not null default '',
    status       text not null default 'none',
    access_until timestamptz not null default '-infinity',
    ends_at      timestamptz,
    -- months are counted from here; the epoch makes them calendar months
    anchor       timestamptz not null default '1970-01-01T00:00:00Z',
    period_start timestamptz not null default '-infinity',
    period_end   timestamptz not null default '-infinity',
    used         bigint not null default 0,
    -- of 80 and 100 % of the limit the last that the user was told of in this period
    noticed      smallint not null default 0,
    notify       boolean not null default true,
    -- GCRA's theoretical arrival time
    rate_time    timestamptz not null default '-infinity'
) with (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

-- ---- the log ---------------------------------------------------------------------------------------------------------

alter table if exists usage_logs rename to usage_logs_earlier;

-- No key and no foreign key: each would cost every call about as much as all the rest.
create sequence usage_logs_id cache 64;
create table usage_logs (
    id           bigint not null default nextval('usage_logs_id'),
    user_id      bigint not null,
    api_endpoint text,
    timestamp    timestamptz not null,
    cost         integer not null default 1,
    key_id       bigint
) partition by range (timestamp);
alter sequence usage_logs_id owned by usage_logs.id;

create index usage_logs_user on usage_logs (user_id, timestamp);
-- For the roll-up, which takes what came last of everybody. A row of it stands for 64 pages.
create index usage_logs_time on usage_logs using brin (timestamp) with (pages_per_range = 64);

-- Nothing is lost when a month has no partition.
create table usage_logs_default partition of usage_logs default;

-- Makes the partition of a month, with what the default partition holds of it. False: it was there. Attaching stops nobody
-- who writes; only where rows move do writers wait, so that none of them still has the old table in mind.
create function usage_make_partition(month timestamptz) returns boolean language plpgsql as $$
declare
    begins timestamptz := date_trunc('month', month, 'UTC');
    ends   timestamptz := usage_month(date_trunc('month', month, 'UTC'), 1);
    name   text := 'usage_logs_' || to_char(begins at time zone 'UTC', 'YYYYMM');
begin
    if to_regclass(name) is not null then
        return false;
    end if;
    execute format('create table %I (like usage_logs including defaults)', name);
    if exists (select from usage_logs_default where timestamp >= begins and timestamp < ends) then
        lock table usage_logs in share row exclusive mode;
        execute format('with moved as (delete from usage_logs_default where timestamp >= %L and timestamp < %L returning *)'
                       ' insert into %I select * from moved', begins, ends, name);
    end if;
    execute format('alter table usage_logs attach partition %I for values from (%L) to (%L)', name, begins, ends);
    return true;
end
$$;

-- This month and those after it, and every month that the default partition holds rows of; gives their number.
create function usage_make_partitions(ahead integer) returns integer language plpgsql as $$
declare
    made  integer := 0;
    month timestamptz;
begin
    for month in
        select usage_month(date_trunc('month', now(), 'UTC'), n) from generate_series(0, ahead) n
        union select distinct date_trunc('month', timestamp, 'UTC') from usage_logs_default
        order by 1
    loop
        made := made + usage_make_partition(month)::integer;
    end loop;
    return made;
end
$$;

do $$
declare
    total bigint;
    kept  bigint;
begin
    perform usage_make_partitions(12);
    if to_regclass('usage_logs_earlier') is null then
        return;
    end if;
    select count(*), count(*) filter (where user_id is not null and isfinite(timestamp)) into total, kept
      from usage_logs_earlier;
    if total > kept then
        raise warning 'usage_logs: % of % rows had no user or no time and were dropped', total - kept, total;
    end if;
    -- The earlier server kept times without a zone, in UTC.
    if (select data_type from information_schema.columns where table_schema = current_schema()
         and table_name = 'usage_logs_earlier' and column_name = 'timestamp') = 'timestamp without time zone' then
        alter table usage_logs_earlier alter column timestamp drop default,
            alter column timestamp type timestamptz using timestamp at time zone 'UTC';
    end if;
    perform usage_make_partition(month)
       from (select distinct date_trunc('month', timestamp, 'UTC') as month from usage_logs_earlier
              where user_id is not null and isfinite(timestamp)) m;
    insert into usage_logs (user_id, api_endpoint, timestamp)
    select user_id, nullif(left(api_endpoint, 100), ''), timestamp from usage_logs_earlier
     where user_id is not null and isfinite(timestamp) order by timestamp;
    drop table usage_logs_earlier;
end
$$;

-- ---- roll-ups --------------------------------------------------------------------------------------------------------

-- Calls and what they cost, by the hour; endpoint '' is none. Hours that are kept no longer are one row at -infinity.
create table usage_hours (
    user_id  bigint not null,
    hour     timestamptz not null,
    endpoint text not null default '',
    calls    bigint not null,
    cost     bigint not null,
    primary key (user_id, hour, endpoint)
);

-- The sum of a user's hours, so that nobody has to add them up who only wants to know how many there were.
create table usage_totals (
    user_id bigint primary key,
    calls   bigint not null,
    cost    bigint not null
) with (fillfactor = 70);

-- Rows before `until` are in usage_hours; later ones are counted where they are. `since`: where raw rows begin.
-- `folded`: where hours begin.
create table usage_rollup (
    one    boolean primary key default true check (one),
    until  timestamptz not null,
    since  timestamptz not null default '-infinity',
    folded timestamptz not null default '-infinity'
);
insert into usage_rollup (until) values ('-infinity');

-- Up to where rows may be taken into the roll-ups: whoever writes an earlier one has committed. A statement that has
-- neither a transaction's number nor waits for a table is not ten seconds old.
create function usage_settled() returns timestamptz language sql volatile
    return least(statement_timestamp() - interval '10 s',
                 (select min(xact_start) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()
                     and (backend_xid is not null or state = 'active' and wait_event_type = 'Lock')));

-- Lets the roll-up find what came last by reading that alone: summaries of full ranges of pages.
create function usage_summarize() returns bigint language sql volatile
    return (select sum(brin_summarize_new_values(i.inhrelid)) from pg_inherits i
              join pg_index x on x.indexrelid = i.inhrelid join pg_class c on c.oid = x.indrelid
             where i.inhparent = 'usage_logs_time'::regclass
               and c.relname in ('usage_logs_' || to_char((select greatest(until, '1970-01-01Z') from usage_rollup)
                                                           at time zone 'UTC', 'YYYYMM'),
                                 'usage_logs_' || to_char(statement_timestamp() at time zone 'UTC', 'YYYYMM'),
                                 'usage_logs_default'));

-- Takes what was logged before a time into the roll-ups; gives the number of rows.
create function usage_roll_up(upto timestamptz) returns bigint language plpgsql as $$
declare
    done timestamptz;
    rows bigint;
begin
    select until into done from usage_rollup for update;
    if upto <= done then
        return 0;
    end if;
    with fresh as materialized (
        select user_id, date_trunc('hour', timestamp, 'UTC') as hour, coalesce(api_endpoint, '') as endpoint,
               count(*) as calls, sum(cost) as cost
          from usage_logs where timestamp >= done and timestamp < upto
         group by 1, 2, 3),
    stored as (
        insert into usage_hours as h (user_id, hour, endpoint, calls, cost)
        select * from fresh order by user_id, hour, endpoint
        on conflict (user_id, hour, endpoint) do update set calls = h.calls + excluded.calls, cost = h.cost + excluded.cost),
    added as (
        insert into usage_totals as t (user_id, calls, cost)
        select user_id, sum(calls), sum(cost) from fresh group by user_id order by user_id
        on conflict (user_id) do update set calls = t.calls + excluded.calls, cost = t.cost + excluded.cost)
    select coalesce(sum(calls), 0) into rows from fresh;
    update usage_rollup set until = upto;
    return rows;
end
$$;

-- Counts the hours of the users in (after, last] anew, as far as there are raw rows, and their totals; gives how many rows
-- were wrong. Holds roll-ups up meanwhile, and nobody else.
create function usage_recount(after bigint, last bigint) returns bigint language plpgsql as $$
declare
    edge  usage_rollup;
    wrong bigint;
    sums  bigint;
begin
    select * into edge from usage_rollup for update;
    with fresh as materialized (
        select user_id, date_trunc('hour', timestamp, 'UTC') as hour, coalesce(api_endpoint, '') as endpoint,
               count(*) as calls, sum(cost) as cost
          from usage_logs where user_id > after and user_id <= last and timestamp >= edge.since and timestamp < edge.until
         group by 1, 2, 3),
    gone as (
        delete from usage_hours h
         where user_id > after and user_id <= last and hour >= edge.since and hour > '-infinity'
           and not exists (select from fresh f where (f.user_id, f.hour, f.endpoint) = (h.user_id, h.hour, h.endpoint))
        returning 1),
    stored as (
        insert into usage_hours as h (user_id, hour, endpoint, calls, cost) select * from fresh
        on conflict (user_id, hour, endpoint) do update set calls = excluded.calls, cost = excluded.cost
         where (h.calls, h.cost) <> (excluded.calls, excluded.cost)
        returning 1)
    select (select count(*) from gone) + (select count(*) from stored) into wrong;
    with fresh as materialized (
        select user_id, sum(calls) as calls, sum(cost) as cost from usage_hours
         where user_id > after and user_id <= last group by user_id),
    gone as (
        delete from usage_totals t where user_id > after and user_id <= last
           and not exists (select from fresh f where f.user_id = t.user_id)
        returning 1),
    stored as (
        insert into usage_totals as t (user_id, calls, cost) select * from fresh
        on conflict (user_id) do update set calls = excluded.calls, cost = excluded.cost
         where (t.calls, t.cost) <> (excluded.calls, excluded.cost)
        returning 1)
    select (select count(*) from gone) + (select count(*) from stored) into sums;
    return wrong + sums;
end
$$;

-- Drops the months that ended before a time and are in the roll-ups; gives their number.
create function usage_drop_partitions(before timestamptz) returns integer language plpgsql as $$
declare
    dropped integer := 0;
    edge    timestamptz;
    month   record;
begin
    select until into edge from usage_rollup for update;
    for month in
        select relname, ends from (
            select c.relname, usage_month(make_timestamptz(substr(c.relname, 12, 4)::integer,
                    substr(c.relname, 16, 2)::integer, 1, 0, 0, 0, 'UTC'), 1) as ends
              from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = 'usage_logs'::regclass and c.relname ~ '^usage_logs_[0-9]{6}$') m
         where ends <= least(before, edge) order by ends
    loop
        execute format('drop table %I', month.relname);
        update usage_rollup set since = greatest(since, month.ends);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

-- Makes one row of the hours before a time of the users in (after, last]; gives how many hours those were.
create function usage_fold(after bigint, last bigint, before timestamptz) returns bigint language plpgsql as $$
declare
    hours bigint;
begin
    perform from usage_rollup for share;
    with old as (
        delete from usage_hours where user_id > after and user_id <= last and hour < before and hour > '-infinity'
        returning user_id, calls, cost),
    folded as (
        insert into usage_hours as h (user_id, hour, calls, cost)
        select user_id, '-infinity', sum(calls), sum(cost) from old group by user_id order by user_id
        on conflict (user_id, hour, endpoint) do update set calls = h.calls + excluded.calls, cost = h.cost + excluded.cost)
    select count(*) into hours from old;
    return hours;
end
$$;

-- What a user's calls of a window cost: whole hours out of the roll-ups, their rest and what is newer out of the log.
create function usage_cost(who bigint, begins timestamptz, ends timestamptz) returns bigint
    language plpgsql volatile as $$
declare
    first timestamptz := case when isfinite(begins) then date_trunc('hour', begins + interval '3599.999999 s', 'UTC')
                              else begins end;
    last  timestamptz := greatest(first, case when isfinite(ends) then date_trunc('hour', ends, 'UTC') else ends end);
begin
    return (select coalesce(sum(cost), 0) from (
        select cost from usage_hours where user_id = who and hour >= first and hour < last
        union all
        select cost from usage_logs where user_id = who and timestamp < last
           and timestamp >= greatest(first, (select until from usage_rollup))
        union all
        select cost from usage_logs where user_id = who and timestamp >= begins and timestamp < least(first, ends)
        union all
        select cost from usage_logs where user_id = who and timestamp >= last and timestamp < ends) counted);
end
$$;

-- Counts anew what a user has used, and by the anchor since when; false: it was right. Whoever decides about the user's calls
-- waits, or has been counted. A period that begins later than our clock was begun by somebody who is ahead of us.
create function usage_recount_used(who bigint) returns boolean language plpgsql as $$
declare
    e     entitlements;
    first timestamptz;
    last  timestamptz;
    cost  bigint;
begin
    select * into e from entitlements where user_id = who for no key update;
    if not found then
        return false;
    end if;
    first := usage_period_start(e.anchor, case when e.period_start between statement_timestamp()
                                                    and statement_timestamp() + interval '1 hour' then e.period_start
                                               else statement_timestamp() end);
    last := usage_period_end(e.anchor, first);
    cost := usage_cost(who, first, 'infinity');
    if (e.period_start, e.period_end, e.used) = (first, last, cost)
       or e.period_end <= statement_timestamp() and cost = 0 then
        return false;
    end if;
    update entitlements
       set period_start = first, period_end = last, used = cost,
           noticed = case when e.period_start = first then e.noticed else 0 end
     where user_id = who;
    return true;
end
$$;

insert into entitlements (user_id, email, verified, disabled)
select id, email, email_verified, disabled_at is not null from users;

select usage_roll_up(date_trunc('hour', now(), 'UTC'));

-- Until the subscriptions have been looked at, months are those of the calendar; so is what was used in this one.
update entitlements e
   set period_start = usage_period_start(e.anchor, now()), period_end = usage_period_end(e.anchor, now()), used = l.cost
  from (select user_id, sum(cost) as cost from usage_logs where timestamp >= date_trunc('month', now(), 'UTC')
         group by user_id) l
 where l.user_id = e.user_id;
