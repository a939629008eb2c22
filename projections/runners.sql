-- Runners: who executes.

-- name: list_runners
-- Every runner, the one seen last first, or only $2. Online: not stopped, and seen within $1 seconds.
SELECT coalesce(json_agg(runner ORDER BY runner.last_seen_at DESC, runner.id), '[]')::text FROM (
    SELECT r.id, r.id AS runner_id,
           CASE WHEN r.status = 'alive' AND r.last_seen_at > log.now() - $1::float8 * interval '1 second' THEN 'online' ELSE 'offline' END AS status,
           r.last_seen_at, r.started_at, r.stopped_at, r.draining_since, r.draining_by, left(r.draining_reason, 1000) AS draining_reason, r.meta,
           coalesce(held.running, 0) AS running
    FROM view.runners r
    LEFT JOIN (SELECT g.runner, count(*) AS running FROM view.running g GROUP BY g.runner) held ON held.runner = r.id
    WHERE $2::text IS NULL OR r.id = $2
    ORDER BY r.last_seen_at DESC LIMIT 1000
) runner;
