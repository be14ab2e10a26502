-- Every message, from being queued to what the server said in the end.
create table mail_messages (
    id             bigint generated always as identity primary key,
    message_id     text not null unique,
    unique_name    text unique,
    user_id        bigint,
    recipient      text not null,
    recipient_name text,
    reply_to       text,
    template       text not null,
    -- Links in messages hold tokens of which the rest of the database knows only digests. They have to be here until
    -- the message is delivered, and are forgotten in the same statement that says so.
    variables      jsonb,
    status         text not null default 'queued'
                   check (status in ('queued', 'sending', 'sent', 'retrying', 'failed')),
    attempts       integer not null default 0,
    reply          text,
    created_at     timestamptz not null default now(),
    changed_at     timestamptz not null default now(),
    sent_at        timestamptz
);

create index mail_messages_user on mail_messages (user_id) where user_id is not null;
create index mail_messages_recipient on mail_messages (lower(recipient));
create index mail_messages_ended on mail_messages (changed_at) where status in ('sent', 'failed');
