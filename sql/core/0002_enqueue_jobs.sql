-- Enqueues many jobs inside a statement, with the meaning of vv_enqueue() in the SDK (core/jobs_queue.c). In PL/pgSQL,
-- because the plan of such a function is kept, and that of one in SQL is made anew in every statement that calls it.
create function vv_enqueue_jobs(kinds text[], payloads jsonb[] default null, unique_names text[] default null,
                                mutexes text[] default null) returns bigint language plpgsql as $$
declare
    enqueued bigint;
begin
    -- One row must not be touched twice; and all lock in one order, so that no two wait for one another.
    insert into jobs (kind, payload, unique_name, mutex, run_at)
    select d.kind, coalesce(d.payload, '{}'), d.unique_name, d.mutex, statement_timestamp()
    from (select distinct on (t.unique_name, case when t.unique_name is null then t.n end) t.*
          from unnest(kinds, payloads, unique_names, mutexes) with ordinality
               as t (kind, payload, unique_name, mutex, n)
          order by t.unique_name, case when t.unique_name is null then t.n end, t.n) d
    on conflict (unique_name) where state = 'ready' and unique_name is not null
    do update set run_at = case when jobs.attempts = 0 then least(jobs.run_at, excluded.run_at) else jobs.run_at end;
    get diagnostics enqueued = row_count;
    return enqueued;
end
$$;
