-- The least that PostgreSQL must do: a bare table, no log, no views, no fence.

-- name: create_jobs
CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state smallint NOT NULL DEFAULT 0,             -- 0 to do, 1 running, 2 done
    payload jsonb NOT NULL
);

-- name: index_jobs
CREATE INDEX job_to_do ON job (id) WHERE state = 0;

-- name: claim_jobs
UPDATE job SET state = 1
WHERE id IN (SELECT id FROM job WHERE state = 0 ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, payload;

-- name: finish_jobs
UPDATE job SET state = 2 WHERE id = ANY ($1::bigint[]);

-- name: create_and_notify
WITH created AS (INSERT INTO job (payload) VALUES ($1) RETURNING id)
SELECT pg_notify('job', '') FROM created;

-- name: create_rows
-- What a task is at the least: an id, a priority, its definition.
CREATE TABLE bare (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    id text COLLATE "C" NOT NULL UNIQUE,
    priority smallint NOT NULL,
    data json NOT NULL
);

-- name: add_row
INSERT INTO bare (id, priority, data) VALUES ($1, $2, $3);

-- name: create_log
-- The log's columns and indexes, nothing hung on it.
CREATE TABLE copied (LIKE log.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);

-- name: all_events
SELECT seq, at, command_id, cause, version, kind, id, type, actor, data FROM log.events ORDER BY seq;

-- name: empty_copied
TRUNCATE copied;

-- name: tasks_at_their_version
-- The log has $1 events, and each task's row stands at the last version of its stream, in number as many as there are.
SELECT (SELECT count(*) FROM log.events) = $1
   AND NOT EXISTS (
       SELECT FROM (SELECT id, max(version) AS version FROM log.events WHERE kind = 'task' GROUP BY id) e
       FULL JOIN view.tasks t ON t.id = e.id WHERE t.version IS DISTINCT FROM e.version);
