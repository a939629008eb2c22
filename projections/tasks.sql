-- Tasks: what the view knows of them, together with what they were created with.

-- name: tasks_by_id
-- The tasks with the ids $1, in that order, that have the status $2 (null: whatever it is), as a JSON array.
-- What a claim answers (claim_and_show in events/commands.sql) has the same fields.
SELECT coalesce(json_agg(task ORDER BY wanted.place), '[]')::text
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (
    SELECT t.id, d.phase, t.title, d.body, t.status, d.branch,
           coalesce(d.depends_on, '[]') AS depends_on, coalesce(d.blocked_by, '[]') AS blocked_by, t.directive_id, t.task_type,
           coalesce(d.steps, '[]') AS steps, coalesce(d.params, '{}') AS params, t.priority, t.attempts, t.max_attempts,
           log.rfc3339(t.next_run_at) AS next_run_at, t.last_error, t.claimed_by, t.claimed_by AS worker_id, log.rfc3339(t.claimed_at) AS claimed_at,
           log.rfc3339(t.started_at) AS started_at, log.rfc3339(t.finished_at) AS finished_at,
           log.rfc3339(t.created_at) AS created_at, log.rfc3339(t.ready_at) AS ready_at,
           t.timeout_seconds, t.waiting_on, t.blocked_parent, t.run_id::text AS run_id, d.acceptance,
           coalesce(d.allowed_scope, '[]') AS allowed_scope, t.version
    FROM view.tasks t JOIN log.events e ON e.seq = t.created_seq
    CROSS JOIN LATERAL json_to_record(e.data) AS d (phase json, body text, branch text, depends_on json, blocked_by json,
        steps json, params json, acceptance json, allowed_scope json)
    WHERE t.id = wanted.id AND ($2::text IS NULL OR t.status = $2)
    OFFSET 0
) task;

-- name: count_fitting
-- How many of the tasks $1, from the first, have definitions and errors that take no more than $2 bytes, but for the last.
SELECT count(*) FROM (
    SELECT sum(e.bytes + t.bytes) OVER (ORDER BY w.place) - e.bytes - t.bytes AS ahead
    FROM unnest($1::text[]) WITH ORDINALITY AS w (id, place)
    CROSS JOIN LATERAL (
        SELECT k.created_seq, coalesce(octet_length(k.last_error), 0) AS bytes FROM view.tasks k WHERE k.id = w.id OFFSET 0) t
    CROSS JOIN LATERAL (SELECT octet_length(v.data::text) AS bytes FROM log.events v WHERE v.seq = t.created_seq OFFSET 0) e
) s WHERE s.ahead < $2::bigint;

-- name: find_named
-- The task whose id is $1, if it agrees. $2 status or null, $3 phase or null, $4 directive or null
SELECT t.id, t.status FROM view.tasks t
WHERE t.id = $1 AND ($2::text IS NULL OR t.status = $2) AND ($3::text IS NULL OR t.phase = $3)
  AND ($4::text IS NULL OR t.directive_id = $4);

-- name: list_ready
-- What can be claimed now, in claim order. $1 after this priority, $2 and position, $3 limit
SELECT r.id, r.priority AS first, r.position AS second, 'ready' AS status FROM view.ready r
WHERE (r.priority, r.position) > ($1::bigint::smallint, $2::bigint) ORDER BY r.priority, r.position LIMIT $3;

-- name: list_scheduled
-- What falls due later, the next first. $1 after this due time (in microseconds since 1970), $2 and position, $3 limit
SELECT s.id, (extract(epoch FROM s.due_at) * 1000000)::bigint AS first, s.position AS second, 'ready' AS status
FROM view.scheduled s
WHERE s.due_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
  AND (s.due_at, s.position) > (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2::bigint)
ORDER BY s.due_at, s.position LIMIT $3;

-- name: list_waiting
-- What waits for parents, the oldest first. $1 after this created_seq, $2 unused, $3 limit
SELECT a.id, a.created_seq AS first, $2::bigint AS second, 'ready' AS status
FROM view.aside a WHERE a.why = 'waiting' AND a.created_seq > $1 ORDER BY a.created_seq LIMIT $3;

-- name: list_aside
-- What failed, is blocked or was cancelled ($3), the newest first; looks at $2 of them at most. As list_newest.
SELECT a.id, a.created_seq AS first, t.status
FROM (SELECT id, created_seq FROM view.aside WHERE why = $3 AND created_seq < $1 ORDER BY created_seq DESC LIMIT $2) a
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = a.id OFFSET 0) t
WHERE t.status = $3 AND ($4::text IS NULL OR t.phase = $4) AND $7::text IS NULL
  AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY a.created_seq DESC LIMIT $6;

-- name: list_aside_oldest
-- As list_aside, the oldest first. $1 after this created_seq
SELECT a.id, a.created_seq AS first, t.status
FROM (SELECT id, created_seq FROM view.aside WHERE why = $3 AND created_seq > $1 ORDER BY created_seq LIMIT $2) a
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = a.id OFFSET 0) t
WHERE t.status = $3 AND ($4::text IS NULL OR t.phase = $4) AND $7::text IS NULL
  AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY a.created_seq LIMIT $6;

-- name: list_running
-- What is in flight, the newest claim first.
-- $1 before this run, $2 unused, $3 status, $4 phase or null, $5 text or null, $6 limit, $7 unused
SELECT g.id, g.run_id AS first, t.status
FROM view.running g CROSS JOIN LATERAL (SELECT * FROM view.tasks t WHERE t.id = g.id OFFSET 0) t
WHERE g.run_id < $1 AND $2::bigint IS NOT NULL AND t.status = $3 AND $7::text IS NULL
  AND ($4::text IS NULL OR t.phase = $4) AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY g.run_id DESC LIMIT $6;

-- name: list_longest
-- As list_running, the oldest claim first. $1 after this run
SELECT g.id, g.run_id AS first, t.status
FROM view.running g CROSS JOIN LATERAL (SELECT * FROM view.tasks t WHERE t.id = g.id OFFSET 0) t
WHERE g.run_id > $1 AND $2::bigint IS NOT NULL AND t.status = $3 AND $7::text IS NULL
  AND ($4::text IS NULL OR t.phase = $4) AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY g.run_id LIMIT $6;

-- name: list_urgent
-- As list_running, the most urgent first, of equals the oldest claim. $1 after this priority, $2 and run
SELECT g.id, t.priority::bigint AS first, g.run_id AS second, t.status
FROM view.running g CROSS JOIN LATERAL (SELECT * FROM view.tasks t WHERE t.id = g.id OFFSET 0) t
WHERE (t.priority, g.run_id) > ($1::bigint, $2::bigint) AND t.status = $3 AND $7::text IS NULL
  AND ($4::text IS NULL OR t.phase = $4) AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY t.priority, g.run_id LIMIT $6;

-- name: list_newest
-- The newest tasks first; looks at $2 of them at most.
-- $1 before this created_seq, $2 window, $3 status or null, $4 phase or null, $5 text or null, $6 limit, $7 unused
SELECT t.id, t.created_seq AS first, t.status
FROM (SELECT id, created_seq, status, phase, title FROM view.tasks WHERE created_seq < $1 ORDER BY created_seq DESC LIMIT $2) t
WHERE ($3::text IS NULL OR t.status = $3) AND ($4::text IS NULL OR t.phase = $4) AND $7::text IS NULL
  AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY t.created_seq DESC LIMIT $6;

-- name: list_oldest
-- As list_newest, the oldest first. $1 after this created_seq
SELECT t.id, t.created_seq AS first, t.status
FROM (SELECT id, created_seq, status, phase, title FROM view.tasks WHERE created_seq > $1 ORDER BY created_seq LIMIT $2) t
WHERE ($3::text IS NULL OR t.status = $3) AND ($4::text IS NULL OR t.phase = $4) AND $7::text IS NULL
  AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY t.created_seq LIMIT $6;

-- name: list_directive
-- As list_newest, of one directive. $7 directive
SELECT t.id, t.created_seq AS first, t.status
FROM (SELECT id, created_seq, status, phase, title FROM view.tasks
      WHERE directive_id = $7 AND created_seq < $1 ORDER BY created_seq DESC LIMIT $2) t
WHERE ($3::text IS NULL OR t.status = $3) AND ($4::text IS NULL OR t.phase = $4)
  AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY t.created_seq DESC LIMIT $6;

-- name: list_directive_oldest
-- As list_directive, the oldest first. $1 after this created_seq
SELECT t.id, t.created_seq AS first, t.status
FROM (SELECT id, created_seq, status, phase, title FROM view.tasks
      WHERE directive_id = $7 AND created_seq > $1 ORDER BY created_seq LIMIT $2) t
WHERE ($3::text IS NULL OR t.status = $3) AND ($4::text IS NULL OR t.phase = $4)
  AND ($5::text IS NULL OR strpos(lower(t.title), lower($5)) > 0 OR strpos(t.id, $5) > 0)
ORDER BY t.created_seq LIMIT $6;

-- name: list_done
-- What is done, the newest run first: of a task that is done, one run is. As list_newest. $1 before this run, $4 and $5 null
SELECT r.task_id AS id, r.id AS first, r.status
FROM (SELECT id, task_id, status FROM view.ended_runs WHERE id < $1 ORDER BY id DESC LIMIT $2) r
WHERE r.status = $3 AND $4::text IS NULL AND $5::text IS NULL AND $7::text IS NULL ORDER BY r.id DESC LIMIT $6;

-- name: last_of_newest
-- Where the window of list_newest ends, if the list goes on there.
-- $1 before this created_seq, $2 window, $3 and $4 unused
SELECT created_seq FROM view.tasks
WHERE created_seq < $1 AND $3::text IS NULL AND ($4::text IS NULL OR true) ORDER BY created_seq DESC OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_oldest
-- As last_of_newest, of list_oldest. $1 after this created_seq
SELECT created_seq FROM view.tasks
WHERE created_seq > $1 AND $3::text IS NULL AND ($4::text IS NULL OR true) ORDER BY created_seq OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_aside
-- As last_of_newest, of list_aside. $4 status
SELECT created_seq FROM view.aside
WHERE why = $4 AND created_seq < $1 AND $3::text IS NULL ORDER BY created_seq DESC OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_aside_oldest
-- As last_of_newest, of list_aside_oldest. $1 after this created_seq, $4 status
SELECT created_seq FROM view.aside
WHERE why = $4 AND created_seq > $1 AND $3::text IS NULL ORDER BY created_seq OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_directive
-- As last_of_newest. $3 directive
SELECT created_seq FROM view.tasks
WHERE directive_id = $3 AND created_seq < $1 AND ($4::text IS NULL OR true) ORDER BY created_seq DESC OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_directive_oldest
-- As last_of_oldest. $3 directive
SELECT created_seq FROM view.tasks
WHERE directive_id = $3 AND created_seq > $1 AND ($4::text IS NULL OR true) ORDER BY created_seq OFFSET $2::bigint - 1 LIMIT 1;

-- name: last_of_done
-- As last_of_newest, of list_done. $1 before this run
SELECT id FROM view.ended_runs
WHERE id < $1 AND $3::text IS NULL AND ($4::text IS NULL OR true) ORDER BY id DESC OFFSET $2::bigint - 1 LIMIT 1;

-- name: count_tasks
-- How many tasks there are in the status $1 (null: in any), from the counters.
SELECT coalesce(sum(CASE $1::text WHEN 'ready' THEN ready WHEN 'running' THEN running WHEN 'done' THEN done WHEN 'failed' THEN failed
                    WHEN 'blocked' THEN blocked WHEN 'cancelled' THEN cancelled
                    ELSE ready + running + done + failed + blocked + cancelled END), 0)::bigint
FROM view.task_counts;
