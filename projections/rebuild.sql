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

-- name: create_doors
-- The folds see what they are to fold as `batch`. For whole lives that is a view of the log: nothing goes through the doors
-- `lives` and `details`, an empty INSERT is their bell. Events that concern more than one task, or none, are put into the
-- intake; and whatever there is into `newcomers`, if there are folds that are not known here.
CREATE VIEW rebuild.batch AS
SELECT * FROM log.events
WHERE kind = 'task' AND id = ANY (current_setting('elruso.lives')::text[]) AND seq <= current_setting('elruso.horizon')::bigint;
CREATE TABLE rebuild.lives ();
CREATE TABLE rebuild.details ();
CREATE UNLOGGED TABLE rebuild.intake (LIKE log.events) WITH (autovacuum_enabled = off);
CREATE UNLOGGED TABLE rebuild.newcomers (LIKE log.events) WITH (autovacuum_enabled = off);
SELECT log.attach_folds('rebuild.intake', 'rebuild'), log.attach_folds('rebuild.newcomers', 'rebuild');
DO $$
DECLARE
    hung record;
    door regclass;
BEGIN
    FOR hung IN SELECT t.tgname AS name, t.tgrelid::regclass AS place, p.proname AS fold
                FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                WHERE t.tgrelid IN ('rebuild.intake'::regclass, 'rebuild.newcomers'::regclass) AND p.pronamespace = 'rebuild'::regnamespace LOOP
        door := CASE WHEN hung.fold IN ('fold_tasks', 'fold_runs') THEN 'rebuild.lives'
                     WHEN hung.fold = 'fold_steps' THEN 'rebuild.details'
                     WHEN hung.fold IN ('fold_creations', 'fold_claims', 'fold_endings') THEN NULL  -- fold_tasks does all of it
                     WHEN hung.fold IN ('fold_dependencies', 'fold_aside', 'fold_runners', 'fold_system', 'fold_requests', 'fold_directives',
                                        'fold_planner_runs') THEN 'rebuild.intake'
                     ELSE 'rebuild.newcomers' END;
        IF door IN ('rebuild.lives'::regclass, 'rebuild.details'::regclass) THEN
            EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %s EXECUTE FUNCTION rebuild.%I()', hung.name, door, hung.fold);
        END IF;
        IF door IS DISTINCT FROM hung.place THEN
            EXECUTE format('DROP TRIGGER %I ON %s', hung.name, hung.place);
        END IF;
    END LOOP;
END $$;

-- name: list_indexes
-- Those of the two great tables: how to make them, once every row is there.
SELECT r.relname, CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
                       ELSE format('ALTER TABLE rebuild.%I ADD CONSTRAINT %I %s', r.relname, c.conname, pg_get_constraintdef(c.oid)) END AS statement
FROM pg_index i JOIN pg_class r ON r.oid = i.indrelid LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
WHERE i.indrelid IN ('rebuild.tasks'::regclass, 'rebuild.ended_runs'::regclass) ORDER BY r.relname, i.indexrelid;

-- name: drop_indexes
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN SELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS "table", c.conname FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
                WHERE i.indrelid IN ('rebuild.tasks'::regclass, 'rebuild.ended_runs'::regclass) LOOP
        IF made.conname IS NULL THEN
            EXECUTE format('DROP INDEX %s', made.index);
        ELSE
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', made."table", made.conname);
        END IF;
    END LOOP;
END $$;

-- name: tune_feeding
-- The feeding can be done again from the log, so its commits need not wait for the disk; the swap's commit does.
SET LOCAL statement_timeout = 0;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '64MB';
SET LOCAL maintenance_work_mem = '256MB';

-- name: take_shard
-- Each session counts in a shard of its own. Whoever rings a bell is to look for everything. $1 the session, $2 the horizon
SELECT set_config('elruso.shard', $1::integer::text, true), set_config('elruso.horizon', $2::bigint::text, true),
       set_config('elruso.types', (SELECT array_agg(type)::text FROM log.transitions), true);

-- name: find_end
-- Which task the last of the next so many events belongs to, by id. $1 the last id before, $2 so many
SELECT max(id) AS id FROM (SELECT id FROM log.events WHERE kind = 'task' AND id > $1 ORDER BY id LIMIT $2) next;

-- name: recall_lives
-- $1 after this id, $2 up to this one, $3 as of this seq
SELECT events, turning, detailed FROM rebuild.recall_lives($1, $2, $3);

-- name: show_lives
-- $1 ids
SELECT set_config('elruso.lives', $1::text[]::text, true);

-- name: ring_lives
INSERT INTO rebuild.lives SELECT WHERE false;

-- name: ring_details
INSERT INTO rebuild.details SELECT WHERE false;

-- name: feed_others
-- Beside the lives: of tasks what ties them together (children; their parents have come to their end already) and what
-- sets them aside. Those that were done without a run go there directly: to the folds that tie tasks together a done task
-- means a parent that ends now. Answers how many of them were no task's. $1 after this seq, $2 up to this one
WITH slice AS MATERIALIZED (
    SELECT * FROM log.events
    WHERE seq > $1 AND seq <= $2
      AND (kind <> 'task' OR type IN ('task.failed', 'task.blocked', 'task.cancelled', 'task.requeued')
           OR type = 'task.created' AND strpos(data::text, '"depends_on"') > 0 AND data->'depends_on' IS NOT NULL  -- strpos: a third of the time
           OR type = 'task.done' AND strpos(data::text, 'null') > 0 AND data->>'run_id' IS NULL)
), closed AS (
    INSERT INTO rebuild.aside (why, created_seq, id)
    SELECT 'done', t.created_seq, t.id
    FROM slice s CROSS JOIN LATERAL (SELECT k.id, k.created_seq FROM rebuild.tasks k WHERE k.id = s.id OFFSET 0) t
    WHERE s.type = 'task.done' ON CONFLICT DO NOTHING
), fed AS (
    INSERT INTO rebuild.intake SELECT * FROM slice WHERE type <> 'task.done' ORDER BY seq
    RETURNING kind
)
SELECT count(*) FILTER (WHERE kind <> 'task') FROM fed;

-- name: feed_newcomers
-- $1 after this seq, $2 up to this one
INSERT INTO rebuild.newcomers SELECT * FROM log.events
WHERE seq > $1 AND seq <= $2
  AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'rebuild.newcomers'::regclass AND tgfoid <> 'log.note_types'::regproc)
ORDER BY seq;

-- name: open_intake
-- From now on every event goes through it.
SELECT log.attach_folds('rebuild.intake', 'rebuild');

-- name: feed_all
-- $1 after this seq, $2 up to this one
INSERT INTO rebuild.intake SELECT * FROM log.events WHERE seq > $1 AND seq <= $2 ORDER BY seq;

-- name: empty_intake
TRUNCATE rebuild.intake, rebuild.newcomers;

-- name: settle_runs
VACUUM (ANALYZE) rebuild.ended_runs, rebuild.steps, rebuild.file_changes;

-- name: settle_tasks
VACUUM (ANALYZE) rebuild.tasks;

-- name: list_upkeep
-- The same for the others.
SELECT format('VACUUM (ANALYZE) rebuild.%I', relname) AS statement FROM pg_class
WHERE relnamespace = 'rebuild'::regnamespace AND relkind = 'r'
  AND relname NOT IN ('tasks', 'ended_runs', 'steps', 'file_changes', 'intake', 'newcomers', 'lives', 'details');

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
DROP TABLE view.intake, view.newcomers, view.lives, view.details;
DROP VIEW view.batch;
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
