-- Runs of the planner: those that ended, and the one that is under way.

-- name: list_planner_runs
-- The newest first, as a JSON array of at most $3, those before the seq $1, of the statuses $2.
-- What each created stands in its event.
SELECT coalesce(json_agg(run ORDER BY run.seq DESC), '[]')::text FROM (
    SELECT r.id, r.status, r.outcome, r.error, r.model, r.environment,
           json_build_object('prompt_tokens', r.prompt_tokens, 'completion_tokens', r.completion_tokens,
                             'total_tokens', r.prompt_tokens + r.completion_tokens) AS usage,
           r.cost, r.duration_ms, r.rounds, log.rfc3339(r.ended_at) AS ended_at, r.started_by, r.directives AS directives_created, r.tasks AS tasks_created,
           d.prompt_hash, coalesce(d.directives, '[]') AS directives, coalesce(d.tasks, '[]') AS tasks, coalesce(d.requests, '[]') AS requests,
           coalesce(d.refused, '[]') AS refused, coalesce(d.notes, '[]') AS notes, r.seq
    FROM (SELECT k.* FROM unnest($2::text[]) AS s (status)
          CROSS JOIN LATERAL (SELECT * FROM view.planner_runs k WHERE k.status = s.status AND k.seq < $1 ORDER BY k.seq DESC LIMIT $3) k
          ORDER BY k.seq DESC LIMIT $3) r
    JOIN log.events e ON e.seq = r.seq
    CROSS JOIN LATERAL json_to_record(e.data) AS d (prompt_hash text, directives json, tasks json, requests json, refused json, notes json)
) run;

-- name: planner_run_places
-- Where the rows of a page of list_planner_runs stand, and the one after it. Parameters as there.
SELECT k.seq FROM unnest($2::text[]) AS s (status)
CROSS JOIN LATERAL (SELECT k.seq FROM view.planner_runs k WHERE k.status = s.status AND k.seq < $1 ORDER BY k.seq DESC LIMIT $3) k
ORDER BY k.seq DESC LIMIT $3;

-- name: show_planner
-- The run under way (null: none), the last one that ended, and what was spent today (UTC), in dollars.
-- A row of planner_progress counts only while its run holds the planner's lock.
SELECT json_build_object(
    'running', (SELECT row_to_json(p) FROM (
        SELECT g.run_id, g.stage, g.detail, g.model, g.environment, g.started_by, log.rfc3339(g.started_at) AS started_at, log.rfc3339(g.changed_at) AS changed_at,
               extract(epoch FROM log.now() - g.started_at)::float8 AS seconds
        FROM log.planner_progress g
        WHERE EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND l.classid::bigint = hashtext('elruso')::bigint & 4294967295
                      AND l.objid::bigint = hashtext('planner')::bigint & 4294967295)
        ORDER BY g.started_at DESC LIMIT 1) p),
    'last', (SELECT row_to_json(r) FROM (
        SELECT id AS run_id, status, outcome, error, cost, directives AS directives_created, tasks AS tasks_created, log.rfc3339(ended_at) AS ended_at
        FROM view.planner_runs ORDER BY seq DESC LIMIT 1) r),
    'spent_today', (SELECT coalesce(sum(cost), 0)::float8 FROM view.planner_runs
                    WHERE ended_at >= (SELECT date_trunc('day', log.now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')
                      AND ended_at < (SELECT date_trunc('day', log.now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '2 days'))
)::text;

-- name: spent_today
SELECT coalesce(sum(cost), 0)::float8 FROM view.planner_runs
WHERE ended_at >= (SELECT date_trunc('day', log.now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AND ended_at < (SELECT date_trunc('day', log.now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '2 days');
