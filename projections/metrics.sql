-- The numbers of /ops/metrics. Every part is bounded by what is in flight or by a constant, never by the history.

-- name: show_moment
-- The database's state, as in show_state, and what time it is there.
SELECT ROW(pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()::text, log.now());

-- name: show_metrics
-- $1: a runner is online when it was seen within so many seconds. $2: how many runners are counted at most.
-- The state, now, until when the numbers hold in it, when the oldest of the ready tasks became so, and the numbers.
WITH RECURSIVE moment AS MATERIALIZED (
    SELECT log.now() AS now
), priority AS (  -- the first of each priority, by one probe of the index per priority
    SELECT (SELECT min(r.priority) FROM view.ready r) AS value
  UNION ALL
    SELECT (SELECT min(r.priority) FROM view.ready r WHERE r.priority > priority.value) FROM priority WHERE priority.value IS NOT NULL
), oldest AS (
    SELECT min(t.ready_at) AS ready_at
    FROM priority
    CROSS JOIN LATERAL (SELECT r.id FROM view.ready r WHERE r.priority = priority.value ORDER BY r.priority, r.position LIMIT 1) first
    CROSS JOIN LATERAL (SELECT t.ready_at FROM view.tasks t WHERE t.id = first.id OFFSET 0) t
    WHERE priority.value IS NOT NULL
), newest AS MATERIALIZED (  -- read as far as those below ask: in most systems some dozens of rows
    SELECT r.id, r.task_id, r.status, r.claimed_at, r.finished_at FROM view.ended_runs r ORDER BY r.id DESC LIMIT 1000
), succeeded AS (
    SELECT extract(epoch FROM n.finished_at - t.ready_at)::float8 AS seconds
    FROM (SELECT * FROM newest WHERE status = 'done' ORDER BY id DESC LIMIT 20) n
    CROSS JOIN LATERAL (SELECT t.ready_at FROM view.tasks t WHERE t.id = n.task_id OFFSET 0) t
), counts AS (
    SELECT coalesce(sum(ready), 0)::bigint AS ready, coalesce(sum(running), 0)::bigint AS running, coalesce(sum(blocked), 0)::bigint AS blocked,
           coalesce(sum(failed), 0)::bigint AS failed, coalesce(sum(done), 0)::bigint AS done, coalesce(sum(cancelled), 0)::bigint AS cancelled
    FROM view.task_counts
), online AS (
    SELECT count(*) AS online, count(r.draining_since) AS draining, min(r.last_seen_at) + $1::float8 * interval '1 second' AS until
    FROM view.runners r
    WHERE r.seen_hour >= (SELECT date_bin('1 hour', now - $1::float8 * interval '1 second', timestamptz '1970-01-01 00:00:00+00') FROM moment)
      AND r.last_seen_at > (SELECT now - $1::float8 * interval '1 second' FROM moment) AND r.status = 'alive'
      AND r.last_seen_at < (SELECT now + $1::float8 * interval '1 second' FROM moment)
), day AS (
    SELECT coalesce(sum(c.ended), 0)::bigint AS ended, coalesce(sum(c.failed), 0)::bigint AS failed, min(c.bucket) + interval '24 hours' AS until
    FROM view.run_counts c  -- two bounds, so that the index is walked between them
    WHERE c.bucket > (SELECT now - interval '24 hours' FROM moment) AND c.bucket < (SELECT now + interval '1 hour' FROM moment)
)
SELECT ROW(pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()::text, moment.now,
           least(online.until, day.until, moment.now + interval '1 minute'),  -- a minute, lest a clock was set back by hours
           (SELECT o.ready_at FROM oldest o), json_build_object(
    'tasks', (SELECT row_to_json(counts) FROM counts),
    'runners', json_build_object(
        'online', online.online, 'draining', online.draining,
        'total', (SELECT count(*) FROM (SELECT FROM view.runners ORDER BY id LIMIT $2) r)),
    'runs', json_build_object(
        'last_run_at', (SELECT log.rfc3339(greatest(max(n.claimed_at), (SELECT max(g.claimed_at) FROM view.running g WHERE g.run_id > coalesce(min(n.id), 0))))
                        FROM (SELECT id, claimed_at FROM newest LIMIT 20) n),
        'fail_rate_last_20', (SELECT avg((n.status = 'failed')::integer)::float8 FROM (SELECT status FROM newest LIMIT 20) n),
        'avg_ready_to_done_seconds_last_20', (SELECT avg(s.seconds) FROM succeeded s),
        'last_24h', day.ended,
        'fails_last_24h', day.failed)
)::text)
FROM moment, online, day;
