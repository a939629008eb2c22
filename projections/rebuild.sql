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
-- Three doors into the new views. Each task's events go through one of two strands, by the hash of its id, whose folds
-- look at that task alone: so two connections feed them at once and never meet. Then whatever concerns more than one
-- task, or none, goes through `intake`. A fold that is new belongs there, unless it looks at single tasks.
CREATE UNLOGGED TABLE rebuild.intake (LIKE log.events) WITH (autovacuum_enabled = off);
CREATE UNLOGGED TABLE rebuild.strand_0_intake (LIKE log.events) WITH (autovacuum_enabled = off);
CREATE UNLOGGED TABLE rebuild.strand_1_intake (LIKE log.events) WITH (autovacuum_enabled = off);
SELECT log.attach_folds('rebuild.intake', 'rebuild');
SELECT log.attach_folds('rebuild.strand_0_intake', 'rebuild');
SELECT log.attach_folds('rebuild.strand_1_intake', 'rebuild');
DO $$
DECLARE
    other record;
BEGIN
    FOR other IN SELECT t.tgname, t.tgrelid::regclass AS intake FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid IN ('rebuild.intake'::regclass, 'rebuild.strand_0_intake'::regclass, 'rebuild.strand_1_intake'::regclass)
                   AND p.pronamespace = 'rebuild'::regnamespace
                   AND (p.proname IN ('fold_creations', 'fold_claims', 'fold_endings', 'fold_tasks', 'fold_runs', 'fold_steps'))
                       = (t.tgrelid = 'rebuild.intake'::regclass) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', other.tgname, other.intake);
    END LOOP;
END $$;

-- name: tune_feeding
-- The feeding can be done again from the log, so its commits need not wait for the disk; the swap's commit does.
SET LOCAL statement_timeout = 0;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '64MB';

-- name: take_shard
-- Each strand counts in a shard of its own. $1 the strand
SELECT set_config('elruso.shard', $1::integer::text, true);

-- name: feed_strand_0
-- $1 after this seq, $2 up to this one
INSERT INTO rebuild.strand_0_intake
SELECT * FROM log.events WHERE seq > $1 AND seq <= $2 AND kind = 'task' AND hashtext(id) & 1 = 0 ORDER BY seq;

-- name: empty_strand_0
TRUNCATE rebuild.strand_0_intake;

-- name: feed_strand_1
-- $1 after this seq, $2 up to this one
INSERT INTO rebuild.strand_1_intake
SELECT * FROM log.events WHERE seq > $1 AND seq <= $2 AND kind = 'task' AND hashtext(id) & 1 = 1 ORDER BY seq;

-- name: empty_strand_1
TRUNCATE rebuild.strand_1_intake;

-- name: feed_others
-- Of tasks only what ties them together (children as they are created, and ends as long as there are any) and what sets
-- them aside. A fold that is not known here sees everything. Answers how many of them were no task's.
-- $1 after this seq, $2 up to this one
WITH fed AS (
    INSERT INTO rebuild.intake
    SELECT * FROM log.events
    WHERE seq > $1 AND seq <= $2
      AND (kind <> 'task' OR type IN ('task.failed', 'task.blocked', 'task.cancelled', 'task.requeued')
           OR type = 'task.created' AND data->'depends_on' IS NOT NULL OR type = 'task.done' AND EXISTS (SELECT FROM rebuild.task_deps)
           OR EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                      WHERE t.tgrelid = 'rebuild.intake'::regclass AND p.proname LIKE 'fold\_%'
                        AND p.proname NOT IN ('fold_dependencies', 'fold_aside', 'fold_runners', 'fold_system', 'fold_requests', 'fold_directives', 'fold_planner_runs')))
    ORDER BY seq
    RETURNING kind
)
SELECT count(*) FILTER (WHERE kind <> 'task') FROM fed;

-- name: empty_intake
TRUNCATE rebuild.intake;

-- name: list_upkeep
-- VACUUM for each new table, the biggest first.
SELECT format('VACUUM (ANALYZE) rebuild.%I', relname) FROM pg_class
WHERE relnamespace = 'rebuild'::regnamespace AND relkind = 'r' AND relname NOT LIKE '%intake' ORDER BY pg_relation_size(oid) DESC;

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
DROP TABLE view.intake, view.strand_0_intake, view.strand_1_intake;
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
