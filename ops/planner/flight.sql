-- One run of the planner at a time, and how far it is.

-- name: try_lock
-- Held until the transaction ends, which may be idle for as long as the model takes. It writes nothing, so it holds up
-- no vacuum; a process that is killed takes it along.
SELECT pg_try_advisory_xact_lock(hashtext('elruso'), hashtext('planner')), set_config('idle_in_transaction_session_timeout', '0', true);

-- name: still_locked
SELECT true;

-- name: begin_progress
-- What others left behind is not under way: they do not hold the lock. $1 run, $2 stage, $3 model, $4 environment, $5 actor
WITH gone AS (DELETE FROM log.planner_progress WHERE run_id <> $1)
INSERT INTO log.planner_progress (run_id, stage, model, environment, started_by) VALUES ($1, $2, $3, $4, $5);

-- name: note_progress
-- $1 run, $2 stage, $3 detail or null
UPDATE log.planner_progress SET stage = $2, detail = $3, changed_at = log.now() WHERE run_id = $1;

-- name: end_progress
-- $1 run
DELETE FROM log.planner_progress WHERE run_id = $1;

-- name: who_flies
SELECT run_id FROM log.planner_progress ORDER BY started_at DESC LIMIT 1;
