-- Accounts. The table is made, or brought up from the earlier server's schema with its rows.
create table if not exists users (
    id bigserial primary key,
    email text not null,
    password_hash text not null,
    first_name text,
    last_name text,
    email_verified boolean not null default false,
    stripe_customer_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Which of two such accounts is whose, only a person can say.
do $$
declare
    twins text;
begin
    select string_agg(accounts, '; ') into twins
      from (select string_agg(format('%s (id %s)', email, id), ', ' order by id) as accounts
              from users group by lower(btrim(email)) having count(*) > 1) t;
    if twins is not null then
        raise exception 'users: accounts that differ only in the letter case of their e-mail: %', twins
            using hint = 'Rename or delete one of each, then start again.';
    end if;
end
$$;

-- The earlier server kept times without a zone, in UTC.
do $$
declare
    name text;
begin
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'users'
           and data_type = 'timestamp without time zone'
    loop
        execute format('alter table users alter column %1$I drop default, '
                       'alter column %1$I type timestamptz using %1$I at time zone ''UTC''', name);
    end loop;
    if (select data_type <> 'bigint' from information_schema.columns
         where table_schema = current_schema() and table_name = 'users' and column_name = 'id') then
        alter table users alter column id type bigint;
        execute (select format('alter sequence %s as bigint', s)
                   from pg_get_serial_sequence('users', 'id') s where s is not null);
    end if;
end
$$;

update users
   set email = btrim(email), email_verified = coalesce(email_verified, false),
       created_at = coalesce(created_at, updated_at, now()),
       updated_at = coalesce(updated_at, created_at, now())
 where email <> btrim(email) or email_verified is null or created_at is null or updated_at is null;

alter table users
    alter column email type text,
    alter column email set not null,
    alter column password_hash type text,
    alter column password_hash set not null,
    alter column first_name type text,
    alter column first_name drop not null,
    alter column last_name type text,
    alter column last_name drop not null,
    alter column stripe_customer_id type text,
    alter column email_verified set default false,
    alter column email_verified set not null,
    alter column created_at set default now(),
    alter column created_at set not null,
    alter column updated_at set default now(),
    alter column updated_at set not null,
    -- what outsiders such as Stripe see
    add column uid uuid not null default gen_random_uuid() unique,
    add column disabled_at timestamptz,
    -- goes up when the password is another one, not when its hash is: ends logins under way
    add column password_version integer not null default 0;

create unique index users_email_lower on users (lower(email));

-- Tokens that came by mail, of every kind; `token` is the SHA-256 of what the mail says.
create table if not exists email_verification_tokens (
    id bigserial primary key,
    user_id bigint not null references users (id) on delete cascade,
    token bytea not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default now()
);

do $$
declare
    name text;
begin
    if (select data_type <> 'bytea' from information_schema.columns
         where table_schema = current_schema() and table_name = 'email_verification_tokens'
           and column_name = 'token') then
        delete from email_verification_tokens
         where token is null or user_id is null or expires_at is null;
        alter table email_verification_tokens
            alter column token drop default,
            alter column token type bytea using sha256(convert_to(token, 'UTF8'));
    end if;
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'email_verification_tokens'
           and data_type = 'timestamp without time zone'
    loop
        execute format('alter table email_verification_tokens alter column %1$I drop default, '
                       'alter column %1$I type timestamptz using %1$I at time zone ''UTC''', name);
    end loop;
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'email_verification_tokens'
           and column_name in ('id', 'user_id') and data_type = 'integer'
    loop
        execute format('alter table email_verification_tokens alter column %I type bigint', name);
    end loop;
end
$$;

update email_verification_tokens set created_at = now() where created_at is null;

alter table email_verification_tokens
    alter column user_id set not null,
    alter column token set not null,
    alter column expires_at set not null,
    alter column created_at set default now(),
    alter column created_at set not null,
    add column purpose text not null default 'verify'
        check (purpose in ('verify', 'change', 'reset')),
    -- the address that a 'change' token proves
    add column email text;

create unique index email_verification_tokens_digest on email_verification_tokens (token);
create index email_verification_tokens_user on email_verification_tokens (user_id, purpose);
create index email_verification_tokens_expiry on email_verification_tokens (expires_at);
