-- Bringing ops/*.json and the log together.

-- name: lock_sync
-- One push at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('elruso'), hashtext('sync'));

-- name: known_tasks
-- The tasks with these ids, with what they were created with. $1 ids
SELECT t.id, t.status, t.created_seq, e.data
FROM unnest($1::text[]) AS w (id)
CROSS JOIN LATERAL (SELECT k.id, k.status, k.created_seq FROM view.tasks k WHERE k.id = w.id OFFSET 0) t
CROSS JOIN LATERAL (SELECT d.data FROM log.events d WHERE d.seq = t.created_seq OFFSET 0) e;

-- name: statuses_been
-- Which of the statuses that are ends or stops these tasks were ever in. $1 ids
SELECT e.id, array_agg(DISTINCT m.target) AS been
FROM unnest($1::text[]) AS w (id)
CROSS JOIN LATERAL (SELECT k.id, k.type FROM log.events k WHERE k.kind = 'task' AND k.id = w.id OFFSET 0) e
JOIN log.transitions m ON m.type = e.type AND m.target NOT IN ('ready', 'running')
GROUP BY e.id;

-- name: count_tasks
-- How many tasks the log knows.
SELECT coalesce(sum(ready + running + done + failed + blocked + cancelled), 0)::bigint FROM view.task_counts;

-- name: all_tasks
-- The tasks in the order of their creation, or only those that are neither done nor cancelled.
-- $1 only those?, $2 after this created_seq, $3 limit
SELECT t.id, t.status, t.created_seq, e.data
FROM (SELECT k.id, k.status, k.created_seq FROM view.tasks k
      WHERE k.created_seq > $2 AND (NOT $1::boolean OR k.status NOT IN ('done', 'cancelled'))
      ORDER BY k.created_seq LIMIT $3) t
CROSS JOIN LATERAL (SELECT d.data FROM log.events d WHERE d.seq = t.created_seq OFFSET 0) e
ORDER BY t.created_seq;

-- name: stop_tasks
-- Blocks or cancels tasks, taking them from their runners; those that are so, or cannot be, are left out.
-- $1 ids, $2 types, $3 reason, $4 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, m.type, $4, json_strip_nulls(json_build_object('reason', $3::text, 'run_id', t.run_id))
FROM unnest($1::text[], $2::text[]) AS w (id, type)
CROSS JOIN LATERAL (SELECT k.id, k.version, k.status, k.run_id FROM view.tasks k WHERE k.id = w.id OFFSET 0) t
JOIN log.transitions m ON m.type = w.type AND t.status = ANY (m.sources)
ORDER BY t.id
RETURNING id, seq;

-- name: known_requests
-- Requests, in the order in which they were first asked for, with what was said when they were last provided.
-- $1 ids (null: all)
SELECT r.id, r.version, r.status, r.definition,
       CASE WHEN r.status = 'PROVIDED' THEN (SELECT e.data FROM log.events e
           WHERE e.kind = 'request' AND e.id = r.id AND e.type = 'request.provided' ORDER BY e.version DESC LIMIT 1) END AS provided,
       EXISTS (SELECT FROM log.events e WHERE e.kind = 'request' AND e.id = r.id AND e.type = 'request.withdrawn') AS withdrawn_once
FROM view.requests r CROSS JOIN LATERAL (SELECT e.seq FROM log.events e WHERE e.kind = 'request' AND e.id = r.id AND e.version = 1) f
WHERE $1::text[] IS NULL OR r.id = ANY ($1::text[])
ORDER BY f.seq;
