-- The earlier server's other tables name users without saying what becomes of their rows. Whether or not the plugin that
-- takes such a table over is on: what belongs to an account goes with it, instead of keeping it.
do $$
declare
    fk record;
begin
    for fk in
        select conrelid::regclass as owner, conname as name, pg_get_constraintdef(oid) as definition
          from pg_constraint
         where confrelid = 'users'::regclass and contype = 'f' and confdeltype = 'a' and not condeferrable
    loop
        execute format('alter table %s drop constraint %I, add constraint %I %s on delete cascade',
                       fk.owner, fk.name, fk.name, fk.definition);
    end loop;
end
$$;
