-- What was said, by whom.
create table guestbook (
    id         bigint generated always as identity primary key,
    author     bigint not null,
    body       text not null,
    created_at timestamptz not null default now()
);
create index guestbook_author on guestbook (author);
