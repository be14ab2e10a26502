-- Subscriptions as Stripe has them, what Stripe told, and checkouts under way. The first table is made, or brought up
-- from the earlier server's schema with its rows.
create table if not exists subscriptions (
    id bigserial primary key,
    user_id bigint not null,
    stripe_subscription_id text unique,
    stripe_customer_id text,
    plan_name text,
    status text not null,
    current_period_start timestamptz,
    current_period_end timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- The earlier server kept times without a zone, in UTC.
do $$
declare
    name text;
begin
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'subscriptions'
           and data_type = 'timestamp without time zone'
    loop
        execute format('alter table subscriptions alter column %1$I drop default, '
                       'alter column %1$I type timestamptz using %1$I at time zone ''UTC''', name);
    end loop;
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'subscriptions'
           and column_name in ('id', 'user_id') and data_type <> 'bigint'
    loop
        execute format('alter table subscriptions alter column %I type bigint', name);
    end loop;
    for name in
        select conname from pg_constraint
         where conrelid = 'subscriptions'::regclass and contype = 'f'
    loop
        execute format('alter table subscriptions drop constraint %I', name);
    end loop;
    name := pg_get_serial_sequence('subscriptions', 'id');
    if name is not null then
        execute format('alter sequence %s as bigint', name);
    end if;
end
$$;

-- Nobody's: they gave access to no one.
delete from subscriptions s
 where user_id is null or not exists (select 1 from users u where u.id = s.user_id);

update subscriptions
   set status = coalesce(status, 'incomplete'), created_at = coalesce(created_at, updated_at, now()),
       updated_at = coalesce(updated_at, created_at, now());

alter table subscriptions
    alter column user_id set not null,
    alter column stripe_subscription_id type text,
    alter column stripe_subscription_id drop not null,
    alter column stripe_customer_id type text,
    alter column stripe_customer_id drop not null,
    alter column plan_name type text,
    alter column plan_name drop not null,
    alter column status type text,
    alter column status set not null,
    alter column status drop default,
    alter column current_period_start drop not null,
    alter column current_period_end drop not null,
    alter column created_at set default now(),
    alter column created_at set not null,
    alter column updated_at set default now(),
    alter column updated_at set not null,
    add constraint subscriptions_user foreign key (user_id) references users (id) on delete cascade,
    -- goes up with every change of the row
    add column version bigint not null default 0,
    -- NULL: a row of the earlier server that was not synced yet
    add column stripe_price_id text,
    -- when it began: quota months are counted from it
    add column anchor timestamptz,
    add column cancel_at_period_end boolean not null default false,
    add column cancel_at timestamptz,
    add column ended_at timestamptz,
    add column trial_start timestamptz,
    add column trial_end timestamptz,
    -- why it grants nothing whatever Stripe says
    add column revoked text check (revoked in ('duplicate', 'refunded', 'disputed'));

update subscriptions set anchor = coalesce(current_period_start, created_at);

update users u set stripe_customer_id = s.stripe_customer_id
  from (select distinct on (user_id) user_id, stripe_customer_id from subscriptions
         where stripe_customer_id <> '' order by user_id, id desc) s
 where u.id = s.user_id and coalesce(u.stripe_customer_id, '') = '';

create index subscriptions_user_id on subscriptions (user_id);
create index subscriptions_customer on subscriptions (stripe_customer_id);
create index if not exists users_stripe_customer on users (stripe_customer_id) where stripe_customer_id is not null;

-- Events are triggers only: never their payload, which may hold an address.
create table stripe_events (
    id           text primary key,
    type         text not null,
    object_id    text,
    customer     text,
    created_at   timestamptz not null,
    received_at  timestamptz not null default now(),
    processed_at timestamptz
);

create index stripe_events_received on stripe_events (received_at);
create index stripe_events_waiting on stripe_events (customer, received_at) where processed_at is null;

-- The one checkout a user has under way. `key` makes any number of attempts one session at Stripe.
create table stripe_checkouts (
    user_id    bigint primary key references users (id) on delete cascade,
    price_id   text not null,
    key        uuid not null default gen_random_uuid(),
    session_id text,
    url        text,
    created_at timestamptz not null default now()
);

-- Customers whose account is gone: what they still pay for is ended.
create table stripe_departed (
    customer    text primary key,
    departed_at timestamptz not null default now()
);

-- Answers kept for an Idempotency-Key; without a status the operation is running.
create table stripe_answers (
    user_id       bigint not null references users (id) on delete cascade,
    path          text not null,
    key           text not null,
    request       bytea not null,
    status        integer,
    answer        text,
    running_until timestamptz not null,
    created_at    timestamptz not null default now(),
    primary key (user_id, path, key)
);

create index stripe_answers_created on stripe_answers (created_at);

-- What Stripe has of the rows that came from the earlier server is read soon.
insert into jobs (kind, payload, unique_name, mutex)
select 'stripe.sync', jsonb_build_object('customer', customer), 'stripe.sync:' || customer, 'stripe.sync:' || customer
  from (select distinct stripe_customer_id as customer from subscriptions where stripe_customer_id <> '') s;
