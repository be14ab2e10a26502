-- API keys, as digests only, and the answers kept for an Idempotency-Key. The first table is made, or brought up from the
-- earlier server's schema with its rows.
create table if not exists api_keys (
    id bigserial primary key,
    user_id bigint not null,
    api_key bytea not null,
    is_active boolean not null default true,
    created_at timestamptz not null default now()
);

do $$
declare
    gone  bigint;
    name  text;
    plain boolean;
begin
    delete from api_keys k
     where user_id is null or api_key is null or not exists (select 1 from users u where u.id = k.user_id);
    get diagnostics gone = row_count;
    if gone > 0 then
        raise warning 'api_keys: % rows without a user were dropped', gone;
    end if;
    -- The earlier server kept times without a zone, in UTC.
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'api_keys'
           and data_type = 'timestamp without time zone'
    loop
        execute format('alter table api_keys alter column %1$I drop default, '
                       'alter column %1$I type timestamptz using %1$I at time zone ''UTC''', name);
    end loop;
    for name in
        select column_name from information_schema.columns
         where table_schema = current_schema() and table_name = 'api_keys'
           and column_name in ('id', 'user_id') and data_type <> 'bigint'
    loop
        execute format('alter table api_keys alter column %I type bigint', name);
    end loop;
    for name in
        select conname from pg_constraint where conrelid = 'api_keys'::regclass and contype in ('f', 'u')
    loop
        execute format('alter table api_keys drop constraint %I', name);
    end loop;
    name := pg_get_serial_sequence('api_keys', 'id');
    if name is not null then
        execute format('alter sequence %s as bigint', name);
    end if;

    select data_type <> 'bytea' into plain from information_schema.columns
     where table_schema = current_schema() and table_name = 'api_keys' and column_name = 'api_key';
    -- `key_prefix` is what a person recognises a key by. `legacy`: it came in plain text, with whatever shape it had.
    alter table api_keys
        add column key_prefix text not null default '',
        add column name text not null default 'Default',
        add column legacy boolean not null default false,
        add column expires_at timestamptz,
        add column revoked_at timestamptz,
        add column last_used_at timestamptz;
    if plain then
        update api_keys
           set key_prefix = left(api_key, least(9, length(api_key) / 3)), legacy = true,
               is_active = coalesce(is_active, false), created_at = coalesce(created_at, now()),
               revoked_at = case when is_active then null else now() end;
        alter table api_keys
            alter column api_key drop default,
            alter column api_key type bytea using sha256(convert_to(api_key, 'UTF8'));
    end if;
end
$$;

alter table api_keys
    alter column user_id set not null,
    alter column api_key set not null,
    alter column key_prefix drop default,
    alter column name drop default,
    alter column is_active set default true,
    alter column is_active set not null,
    alter column created_at set default now(),
    alter column created_at set not null,
    add constraint api_keys_user foreign key (user_id) references users (id) on delete cascade,
    -- when a key was used is written often, and is in no index
    set (fillfactor = 80);

create unique index api_keys_digest on api_keys (api_key);
-- Every call looks a digest up: by hash that costs less than half, and no more with a million keys.
create index api_keys_lookup on api_keys using hash (api_key);
create index api_keys_user_id on api_keys (user_id, id);
create index api_keys_legacy on api_keys (id) where legacy and is_active;
create index api_keys_revoked on api_keys (revoked_at) where revoked_at is not null;
create index api_keys_expiry on api_keys (expires_at) where expires_at is not null;

-- Answers kept for an Idempotency-Key, each committed together with what it answers. Of a refusal only the outcome.
create table api_key_answers (
    caller     text not null,
    path       text not null,
    key        text not null,
    -- the SHA-256 of what was asked
    request    bytea not null,
    user_id    bigint references users (id) on delete cascade,
    outcome    smallint,
    answer     text,
    created_at timestamptz not null default now(),
    primary key (caller, path, key)
);

create index api_key_answers_user on api_key_answers (user_id) where user_id is not null;
create index api_key_answers_created on api_key_answers (created_at);
