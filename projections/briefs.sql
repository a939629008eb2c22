-- Tasks and runs as one line of a list: little of each, nothing that could be long.

-- name: briefs_of_tasks
-- $1 ids; in that order, those unknown left out
SELECT t.id, left(t.title, 300) AS title, t.status, left(t.phase, 100) AS phase, t.directive_id, t.task_type, t.priority, t.attempts,
       t.max_attempts, t.waiting_on, t.created_at, t.ready_at, t.claimed_at, t.started_at, t.finished_at, t.next_run_at, t.claimed_by,
       t.run_id, left(t.last_error, 300) AS last_error
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = wanted.id OFFSET 0) t
ORDER BY wanted.place;

-- name: count_statuses
-- How many of the tasks $1 are in which status.
SELECT t.status, count(*) AS tasks
FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL (SELECT k.status FROM view.tasks k WHERE k.id = wanted.id OFFSET 0) t
GROUP BY t.status ORDER BY t.status;

-- name: briefs_of_runs
-- $1 ids; in that order, those unknown left out. When a run did not say how long it took, the log's clock does.
SELECT r.id, r.task_id, left(t.title, 300) AS title, r.runner, r.attempt, r.status, r.claimed_at, r.started_at, r.finished_at,
       coalesce(r.duration_ms, (extract(epoch FROM coalesce(r.finished_at, log.now()) - r.claimed_at) * 1000)::bigint) AS duration_ms,
       left(r.branch, 200) AS branch, left(r.summary, 300) AS summary, left(r.error, 300) AS error
FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (SELECT * FROM view.runs k WHERE k.id = wanted.id OFFSET 0) r
LEFT JOIN LATERAL (SELECT k.title FROM view.tasks k WHERE k.id = r.task_id OFFSET 0) t ON true
ORDER BY wanted.place;

-- name: briefs_of_directives
-- $1 ids; in that order, those unknown left out
SELECT d.id, left(d.title, 300) AS title, d.status, d.approval, d.required, d.proposed_at, d.proposed_by, d.decided_at, d.decided_by,
       left(d.reason, 300) AS reason, cardinality(d.task_ids) AS planned, t.created, t.done, t.stopped, t.running
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (SELECT * FROM view.directives k WHERE k.id = wanted.id OFFSET 0) d
CROSS JOIN LATERAL (
    SELECT count(k.status) AS created, count(*) FILTER (WHERE k.status = 'done') AS done,
           count(*) FILTER (WHERE k.status IN ('failed', 'blocked', 'cancelled')) AS stopped, count(*) FILTER (WHERE k.status = 'running') AS running
    FROM unnest(d.task_ids) AS own (id) CROSS JOIN LATERAL (SELECT x.status FROM view.tasks x WHERE x.id = own.id OFFSET 0) k) t
ORDER BY wanted.place;
