-- Why is a task not running? Everything that decides it, in one look.

-- name: look_at_task
-- $1 task id, $2 a runner is online when it was seen within so many seconds, $3 how many to count ahead of it at most
SELECT t.status, t.waiting_on, t.attempts, t.max_attempts, t.next_run_at, left(t.last_error, 1000) AS last_error, t.blocked_parent,
       t.run_id, t.claimed_by, t.claimed_at, t.finished_at,
       t.next_run_at > log.now() AS rests,
       s.status IS NOT NULL AS paused, left(s.reason, 500) AS pause_reason, s.changed_by AS paused_by, s.changed_at AS paused_at,
       o.online, o.draining, o.unfit, o.idle, o.fault,
       CASE WHEN t.run_id IS NOT NULL THEN
            (SELECT extract(epoch FROM log.now() - r.last_seen_at)::float8 FROM view.runners r WHERE r.id = t.claimed_by) END AS unseen_seconds,
       CASE WHEN t.status = 'ready' THEN (SELECT count(*) FROM (
            SELECT FROM view.ready a WHERE (a.priority, a.position) < (t.priority, t.position) ORDER BY a.priority, a.position LIMIT $3) ahead) END AS ahead
FROM view.tasks t LEFT JOIN view.system s ON s.id = 'main' AND s.status = 'paused'
CROSS JOIN (SELECT count(*) AS online, count(r.draining_since) AS draining, count(r.meta->>'unfit') AS unfit,
                   count(*) FILTER (WHERE r.draining_since IS NULL AND r.meta->>'unfit' IS NULL) AS idle,
                   (array_agg(json_build_object('runner', r.id, 'fault', left(r.meta->'unfit'->>'code', 100), 'path', left(r.meta->'unfit'->>'path', 1000),
                                                'problem', left(r.meta->'unfit'->>'detail', 1000)) ORDER BY r.id)
                       FILTER (WHERE r.meta->>'unfit' IS NOT NULL))[1] AS fault
            FROM view.runners r
            WHERE r.seen_hour >= (SELECT date_bin('1 hour', log.now() - $2::float8 * interval '1 second', timestamptz '1970-01-01 00:00:00+00'))
              AND r.last_seen_at > (SELECT log.now() - $2::float8 * interval '1 second') AND r.status = 'alive'
              AND r.last_seen_at < (SELECT log.now() + $2::float8 * interval '1 second')) o
WHERE t.id = $1;

-- name: list_unfinished_parents
-- The first parents a task waits for, in no order that all of them would have to be read for. $1 task id, $2 limit
SELECT p.id, left(p.title, 300) AS title, p.status
FROM (SELECT d.parent FROM view.task_deps d WHERE d.child = $1 OFFSET 0) d
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = d.parent OFFSET 0) p
WHERE p.status <> 'done' LIMIT $2;
