-- Runners: who executes. One is online when it has not stopped and was seen within the last $1 seconds; one seen in the future,
-- before the clock was set back, and not since, is not. Those who are, and those
-- seen last, are found by the hour in which they were seen: of the runners that have ever been most are long gone.

-- name: list_runners
-- The one seen last first, at most $2 of them; unless $3, those that left more than ten minutes ago or vanished more than a
-- day ago are left out, if they hold nothing.
SELECT coalesce(json_agg(runner ORDER BY runner.last_seen_at DESC, runner.id), '[]')::text FROM (
    SELECT r.id, r.id AS runner_id,
           CASE WHEN r.status = 'alive' AND abs(extract(epoch FROM log.now() - r.last_seen_at)) < $1::float8 THEN 'online' ELSE 'offline' END AS status,
           log.rfc3339(r.last_seen_at) AS last_seen_at, log.rfc3339(r.started_at) AS started_at, log.rfc3339(r.stopped_at) AS stopped_at,
           log.rfc3339(r.draining_since) AS draining_since, r.draining_by, left(r.draining_reason, 1000) AS draining_reason, r.meta,
           coalesce(held.running, 0) AS running
    FROM (SELECT * FROM view.runners ORDER BY seen_hour DESC, last_seen_at DESC LIMIT $2) r
    LEFT JOIN (SELECT g.runner, count(*) AS running FROM view.running g GROUP BY g.runner) held ON held.runner = r.id
    WHERE $3 OR held.running > 0
       OR r.last_seen_at > log.now() - CASE WHEN r.status = 'alive' THEN interval '1 day' ELSE interval '10 minutes' END
) runner;

-- name: find_runner
-- As list_runners, the one called $2.
SELECT row_to_json(runner)::text FROM (
    SELECT r.id, r.id AS runner_id,
           CASE WHEN r.status = 'alive' AND abs(extract(epoch FROM log.now() - r.last_seen_at)) < $1::float8 THEN 'online' ELSE 'offline' END AS status,
           log.rfc3339(r.last_seen_at) AS last_seen_at, log.rfc3339(r.started_at) AS started_at, log.rfc3339(r.stopped_at) AS stopped_at,
           log.rfc3339(r.draining_since) AS draining_since, r.draining_by, left(r.draining_reason, 1000) AS draining_reason, r.meta,
           (SELECT count(*) FROM view.running g WHERE g.runner = r.id) AS running
    FROM view.runners r WHERE r.id = $2
) runner;

-- name: glance_at_runners
-- Of those online the first $2 by name, and how many hold tasks although they are not online.
WITH held AS MATERIALIZED (SELECT g.runner, count(*) AS running FROM view.running g GROUP BY g.runner),
online AS MATERIALIZED (
    SELECT r.id, r.draining_since, CASE WHEN r.meta->>'unfit' IS NOT NULL THEN r.meta->'unfit' END AS unfit FROM view.runners r
    WHERE r.seen_hour >= (SELECT date_bin('1 hour', log.now() - $1::float8 * interval '1 second', timestamptz '1970-01-01 00:00:00+00'))
      AND r.last_seen_at > (SELECT log.now() - $1::float8 * interval '1 second') AND r.status = 'alive'
      AND r.last_seen_at < (SELECT log.now() + $1::float8 * interval '1 second')
)
SELECT json_build_object(
    'online', (SELECT coalesce(json_agg(first ORDER BY first.id), '[]') FROM (
                   SELECT o.id, log.rfc3339(o.draining_since) AS draining_since, o.unfit IS NOT NULL AS unfit, coalesce(h.running, 0) AS running
                   FROM (SELECT * FROM online ORDER BY id LIMIT $2) o LEFT JOIN held h ON h.runner = o.id) first),
    'unfit', (SELECT coalesce(json_agg(json_build_object('id', u.id, 'code', left(u.unfit->>'code', 100), 'path', left(u.unfit->>'path', 1000),
                                                        'detail', left(u.unfit->>'detail', 1000)) ORDER BY u.id), '[]')
              FROM (SELECT * FROM online WHERE unfit IS NOT NULL ORDER BY id LIMIT $2) u),
    'lost', (SELECT count(*) FROM held h WHERE NOT EXISTS (SELECT FROM online o WHERE o.id = h.runner)))::text;
