-- The rebuild: fold the log into a schema beside the live one, then swap the two.

-- name: hold_lock
-- One at a time, and no audit meanwhile. Held until the transaction ends, which may be idle for as long as it takes.
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 0;
SELECT pg_advisory_xact_lock(hashtextextended('elruso.rebuild', 0));

-- name: drop_leftovers
-- What a rebuild leaves behind: the views it retired, or, when it was killed, the ones it had begun.
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;
DROP SCHEMA IF EXISTS retired CASCADE;
DROP SCHEMA IF EXISTS rebuild CASCADE;

-- name: create_schema
-- The view part of schema.sql is executed right after this.
CREATE SCHEMA rebuild;
SET LOCAL search_path = rebuild, pg_temp;

-- name: create_intakes
-- Two doors into the new views, so that two connections can feed them: the folds behind one write no table that the
-- folds behind the other read or write. A fold that is new goes through `intake`, unless it touches `tasks`.
CREATE UNLOGGED TABLE rebuild.intake (LIKE log.events) WITH (autovacuum_enabled = off);
CREATE UNLOGGED TABLE rebuild.task_intake (LIKE log.events) WITH (autovacuum_enabled = off);
SELECT log.attach_folds('rebuild.intake', 'rebuild');
SELECT log.attach_folds('rebuild.task_intake', 'rebuild');
DO $$
DECLARE
    other record;
BEGIN
    FOR other IN SELECT t.tgname, t.tgrelid::regclass AS intake FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid IN ('rebuild.intake'::regclass, 'rebuild.task_intake'::regclass) AND p.pronamespace = 'rebuild'::regnamespace
                   AND (p.proname IN ('fold_creations', 'fold_claims', 'fold_endings', 'fold_tasks', 'fold_dependencies'))
                       <> (t.tgrelid = 'rebuild.task_intake'::regclass) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', other.tgname, other.intake);
    END LOOP;
END $$;

-- name: tune_feeding
-- The feeding can be done again from the log, so its commits need not wait for the disk; the swap's commit does.
SET LOCAL statement_timeout = 0;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '64MB';

-- name: feed_tasks
-- $1 after this seq, $2 up to this one
INSERT INTO rebuild.task_intake SELECT * FROM log.events WHERE seq > $1 AND seq <= $2 ORDER BY seq;

-- name: empty_task_intake
TRUNCATE rebuild.task_intake;

-- name: feed_others
-- $1 after this seq, $2 up to this one
INSERT INTO rebuild.intake SELECT * FROM log.events WHERE seq > $1 AND seq <= $2 ORDER BY seq;

-- name: empty_intake
TRUNCATE rebuild.intake;

-- name: list_upkeep
-- The statements that give the new tables their statistics and clear what the feeding left dead in them.
SELECT format('VACUUM (ANALYZE) %I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname = 'rebuild' AND tablename NOT IN ('intake', 'task_intake') ORDER BY tablename;

-- name: stop_writers
-- Readers go on; writers wait. The time this may wait is short, because whoever comes after it waits as well.
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '300ms';
SET LOCAL work_mem = '64MB';
LOCK TABLE log.events IN SHARE ROW EXCLUSIVE MODE;

-- name: swap
-- Renames the schemas, tells each function where it lives now, and hangs the new folds on the log. Folds of the old
-- views that have no successor are taken off it.
ALTER SCHEMA view RENAME TO retired;
ALTER SCHEMA rebuild RENAME TO view;
DROP TABLE view.intake, view.task_intake;
DO $$
DECLARE
    moved record;
    stale record;
BEGIN
    FOR moved IN SELECT p.oid::regprocedure AS signature FROM pg_proc p
                 WHERE p.pronamespace = 'view'::regnamespace AND array_to_string(p.proconfig, ' ') LIKE '%search_path=%' LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = view, pg_temp', moved.signature);
    END LOOP;
    PERFORM log.attach_folds('log.events', 'view');
    FOR stale IN SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid = 'log.events'::regclass AND p.pronamespace = 'retired'::regnamespace LOOP
        EXECUTE format('DROP TRIGGER %I ON log.events', stale.tgname);
    END LOOP;
END $$;
