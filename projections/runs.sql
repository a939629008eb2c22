-- Runs: what was executed, step by step. A run's id is the seq of the claim that began it, so the newest has the highest.

-- name: runs_by_id
-- The runs with the ids $1, in that order, that have the status $2 (null: whatever it is), as a JSON array.
SELECT coalesce(json_agg(run ORDER BY wanted.place), '[]')::text
FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (
    SELECT r.id::text AS id, r.task_id, r.status,
           log.rfc3339(coalesce(r.started_at, CASE WHEN r.status <> 'running' THEN r.claimed_at END)) AS started_at,
           log.rfc3339(r.claimed_at) AS claimed_at, log.rfc3339(r.finished_at) AS finished_at, r.branch, r.commit_hash, r.summary,
           r.runner, r.runner AS worker_id, r.attempt, r.duration_ms, r.error
    FROM view.runs r WHERE r.id = wanted.id AND ($2::text IS NULL OR r.status = $2) OFFSET 0
) run;

-- name: count_fitting
-- How many of the runs $1, from the first, have texts that take no more than $2 bytes, but for the last.
SELECT count(*) FROM (
    SELECT sum(r.bytes) OVER (ORDER BY w.place) - r.bytes AS ahead
    FROM unnest($1::bigint[]) WITH ORDINALITY AS w (id, place)
    CROSS JOIN LATERAL (
        SELECT coalesce(octet_length(k.summary), 0) + coalesce(octet_length(k.error), 0) AS bytes FROM view.runs k WHERE k.id = w.id OFFSET 0) r
) s WHERE s.ahead < $2::bigint;

-- name: run_with_steps
-- One run with its last $2 steps, the first $3 files it changed (null: all; of both what fits into $4 bytes), the names of its
-- artifacts, and its result, which only its last event has: a task is done once.
-- A step's event is written when the step has ended; when it began follows from how long it took.
SELECT row_to_json(run)::text FROM (
    SELECT r.id::text AS id, r.task_id, r.status,
           log.rfc3339(coalesce(r.started_at, CASE WHEN r.status <> 'running' THEN r.claimed_at END)) AS started_at,
           log.rfc3339(r.claimed_at) AS claimed_at, log.rfc3339(r.finished_at) AS finished_at, r.branch, r.commit_hash, r.summary,
           r.runner, r.attempt, r.duration_ms, r.error,
           r.runner AS worker_id,
           (SELECT coalesce(json_agg(step ORDER BY step.number), '[]') FROM (
                SELECT s.run_id || '-' || s.number AS id, s.run_id::text AS run_id, s.number, s.name, s.name AS step_name, s.cmd, s.exit_code, s.output_excerpt, s.output_bytes, s.truncated, s.duration_ms,
                       log.rfc3339(s.at - s.duration_ms * interval '1 millisecond') AS started_at, log.rfc3339(s.at) AS finished_at, s.error
                FROM (SELECT k.*, sum(k.bytes) OVER (ORDER BY k.number DESC) - k.bytes AS behind
                      FROM (SELECT v.*, 200 + coalesce(octet_length(v.cmd), 0) + coalesce(octet_length(v.output_excerpt), 0)
                                        + coalesce(octet_length(v.error), 0) AS bytes
                            FROM view.steps v WHERE v.run_id = r.id ORDER BY v.number DESC LIMIT $2) k) s
                WHERE s.behind < $4::bigint) step) AS steps,
           (SELECT coalesce(json_agg(changed ORDER BY changed.path), '[]') FROM (
                SELECT c.run_id || ':' || c.path AS id, c.run_id::text AS run_id, c.path, c.change, c.change AS change_type, c.added, c.removed, c.renamed_from
                FROM (SELECT k.*, sum(k.bytes) OVER (ORDER BY k.path) - k.bytes AS ahead
                      FROM (SELECT v.*, 200 + 2 * octet_length(v.path) + coalesce(octet_length(v.renamed_from), 0) AS bytes
                            FROM view.file_changes v WHERE v.run_id = r.id ORDER BY v.path LIMIT $3) k) c
                WHERE c.ahead < $4::bigint) changed) AS file_changes,
           (SELECT coalesce(json_agg(a.kind ORDER BY a.kind), '[]') FROM log.artifacts a WHERE a.run_id = r.id) AS artifacts,
           CASE WHEN r.status = 'done' THEN
                (SELECT CASE WHEN e.data->>'run_id' = r.id::text THEN e.data->'result' END FROM log.events e
                 WHERE e.kind = 'task' AND e.id = r.task_id AND e.type = 'task.done' ORDER BY e.version DESC LIMIT 1) END AS result,
           (SELECT coalesce(json_agg(a.kind ORDER BY a.kind), '[]') FROM log.artifacts a WHERE a.run_id = r.id AND a.late) AS late_artifacts,
           (SELECT '/runs/' || r.id || '/artifacts/' || min(a.kind) FROM log.artifacts a WHERE a.run_id = r.id HAVING count(*) > 0) AS artifact_path
    FROM view.runs r WHERE r.id = $1
) run;

-- name: list_steps
-- Steps of the run $1 as a JSON array: the $3 behind the number $2.
SELECT coalesce(json_agg(step ORDER BY step.number), '[]')::text FROM (
    SELECT s.number, s.name, s.cmd, s.exit_code, s.output_excerpt, s.output_bytes, s.truncated, s.duration_ms, s.error
    FROM view.steps s WHERE s.run_id = $1 AND s.number > $2 ORDER BY s.number LIMIT $3
) step;

-- name: list_changes
-- Files that the run $1 changed as a JSON array: the $3 behind the path $2.
SELECT coalesce(json_agg(changed ORDER BY changed.path), '[]')::text FROM (
    SELECT c.path, c.change, c.added, c.removed FROM view.file_changes c WHERE c.run_id = $1 AND c.path > $2 ORDER BY c.path LIMIT $3
) changed;

-- name: count_traces
-- How many steps a run has, and how many files it changed. $1 run
SELECT (SELECT count(*) FROM view.steps s WHERE s.run_id = $1) AS steps,
       (SELECT count(*) FROM view.file_changes c WHERE c.run_id = $1) AS file_changes;

-- name: list_newest
-- The newest runs first; looks at $2 of those that have ended at most, and of those in flight at what lies between them.
-- $1 before this run, $2 window, $3 done or null: whatever their status, $4 limit, $5 unused
WITH ended AS MATERIALIZED (
    SELECT e.id FROM (SELECT id, status FROM view.ended_runs WHERE id < $1 ORDER BY id DESC LIMIT $2) e
    WHERE ($3::text IS NULL OR e.status = $3) AND $5::text IS NULL ORDER BY e.id DESC LIMIT $4
)
SELECT id FROM ended
UNION ALL
SELECT g.run_id FROM view.running g
WHERE $3::text IS NULL AND g.run_id < $1 AND g.run_id > CASE WHEN (SELECT count(*) FROM ended) < $4 THEN 0 ELSE (SELECT min(id) FROM ended) END
ORDER BY id DESC LIMIT $4;

-- name: list_oldest
-- As list_newest, the oldest first. $1 after this run
WITH ended AS MATERIALIZED (
    SELECT e.id FROM (SELECT id, status FROM view.ended_runs WHERE id > $1 ORDER BY id LIMIT $2) e
    WHERE ($3::text IS NULL OR e.status = $3) AND $5::text IS NULL ORDER BY e.id LIMIT $4
)
SELECT id FROM ended
UNION ALL
SELECT g.run_id FROM view.running g
WHERE $3::text IS NULL AND g.run_id > $1 AND g.run_id < CASE WHEN (SELECT count(*) FROM ended) < $4 THEN 9223372036854775807 ELSE (SELECT max(id) FROM ended) END
ORDER BY id LIMIT $4;

-- name: list_running
-- The runs in flight, the newest first. Parameters as in list_newest.
SELECT g.run_id AS id FROM view.running g
WHERE g.run_id < $1 AND $2::bigint IS NOT NULL AND $3 = 'running' AND $5::text IS NULL ORDER BY g.run_id DESC LIMIT $4;

-- name: list_lost
-- The runs that ended otherwise than done, as $3 says, the newest first. Other parameters as in list_newest.
SELECT l.id FROM view.lost_runs l
WHERE l.status = $3 AND l.id < $1 AND $2::bigint IS NOT NULL AND $5::text IS NULL ORDER BY l.id DESC LIMIT $4;

-- name: list_lost_oldest
-- As list_lost, the oldest first. $1 after this run
SELECT l.id FROM view.lost_runs l
WHERE l.status = $3 AND l.id > $1 AND $2::bigint IS NOT NULL AND $5::text IS NULL ORDER BY l.id LIMIT $4;

-- name: list_longest
-- As list_running, the oldest first. $1 after this run
SELECT g.run_id AS id FROM view.running g
WHERE g.run_id > $1 AND $2::bigint IS NOT NULL AND $3 = 'running' AND $5::text IS NULL ORDER BY g.run_id LIMIT $4;

-- name: list_task
-- The runs of the task $5, found by the claims in its stream, the newest first. Other parameters as in list_newest.
SELECT e.seq AS id
FROM log.events e CROSS JOIN LATERAL (SELECT r.status FROM view.runs r WHERE r.id = e.seq OFFSET 0) r
WHERE e.kind = 'task' AND e.id = $5 AND e.type = 'task.claimed' AND e.seq < $1
  AND $2::bigint IS NOT NULL AND ($3::text IS NULL OR r.status = $3)
ORDER BY e.version DESC LIMIT $4;

-- name: list_task_oldest
-- As list_task, the oldest first: by attempt. $1 after this run
SELECT e.seq AS id
FROM log.events e CROSS JOIN LATERAL (SELECT r.status FROM view.runs r WHERE r.id = e.seq OFFSET 0) r
WHERE e.kind = 'task' AND e.id = $5 AND e.type = 'task.claimed' AND e.seq > $1
  AND $2::bigint IS NOT NULL AND ($3::text IS NULL OR r.status = $3)
ORDER BY e.version LIMIT $4;

-- name: last_of_newest
-- Where the window of list_newest ends, if the list goes on there. $1 before this run, $2 window
SELECT id FROM view.ended_runs WHERE id < $1 ORDER BY id DESC OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_oldest
-- As last_of_newest, of list_oldest. $1 after this run
SELECT id FROM view.ended_runs WHERE id > $1 ORDER BY id OFFSET $2::bigint - 1 LIMIT 1;
