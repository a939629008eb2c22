-- The commands: every statement that appends events. Prepared by name, one round trip each.
-- They read the current version and append the next in one statement; should another writer come first, the unique
-- index or the fold refuses the statement and the caller sends it again (events/database_errors.py: CONFLICTS).

-- name: create_tasks
-- Appends task.created for each of $1, a JSON array of {id, actor, command_id, data} in the order in which they are to be
-- created. One id or command that is taken refuses them all.
WITH created AS (
    INSERT INTO log.events (kind, id, version, type, actor, data, command_id)
    SELECT 'task', w.id, 1, 'task.created', w.actor, w.data, w.command_id
    FROM json_to_recordset($1::json) AS w (id text, actor text, command_id uuid, data json)
    RETURNING id, seq
)
SELECT array_agg(c.id) AS ids, array_agg(c.seq) AS seqs FROM created c;

-- name: create_and_tell
-- Appends task.created for one task without parents, commits, and tells the runners. Outside a transaction only.
-- $1 id, $2 actor, $3 command id, $4 data, $5 priority, $6 channel
CALL log.create_and_tell($1, $2, $3, $4, $5, $6, NULL, NULL);

-- name: create_and_claim
-- Appends task.created for one task without parents, and task.claimed if the runner's claim would find it first.
-- $1 id, $2 actor, $3 command id, $4 data, $5 priority, $6 runner (as JSON text), $7 its actor; $8 priority, $9 position and
-- $10 as $1, $2 and $6 of claim_tasks
SELECT seq, at, run_id, claimed_at FROM log.create_and_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: create_free_tasks
-- The same, but an id or command that is taken is left out of the answer.
INSERT INTO log.events (kind, id, version, type, actor, data, command_id)
SELECT 'task', w.id, 1, 'task.created', w.actor, w.data, w.command_id
FROM json_to_recordset($1::json) AS w (id text, actor text, command_id uuid, data json)
ON CONFLICT DO NOTHING
RETURNING id, seq, command_id;

-- name: claim_tasks
-- Claims up to $3 tasks in claim order, beginning at the key ($1 priority, $2 position), for runner $4 (as JSON text);
-- $5 actor. $6: none, if a scheduled task fell due, which may come before them (promote_due).
-- A claim's cause is the event that asked for the work; so the answer need not look for it again.
WITH picked AS MATERIALIZED (
    SELECT r.id, r.priority, r.position FROM view.ready r
    WHERE (r.priority, r.position) >= ($1::smallint, $2::bigint)
      AND NOT EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
      AND (SELECT set_config('elruso.brings', 'task.claimed', true)) IS NOT NULL  -- before anything is written
      AND NOT EXISTS (SELECT FROM view.runners d WHERE d.id = $4::json #>> '{}' AND d.draining_since IS NOT NULL)
      AND NOT ($6 AND EXISTS (SELECT FROM view.scheduled f WHERE f.due_at <= log.now()))
    ORDER BY r.priority, r.position, r.id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    INSERT INTO log.events (kind, id, version, type, actor, cause, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', $5, t.created_seq, ('{"runner":' || $4::text || ',"attempt":' || t.attempts + 1 || '}')::json
    FROM picked p CROSS JOIN LATERAL (SELECT k.id, k.version, k.attempts, k.created_seq FROM view.tasks k WHERE k.id = p.id OFFSET 0) t
    RETURNING id, seq, version, cause, data
)
SELECT c.id, c.seq, c.version, (c.data->>'attempt')::integer AS attempt, d.data AS definition,
       (SELECT p.priority FROM picked p LIMIT 1) AS first_priority, (SELECT p.position FROM picked p LIMIT 1) AS first_position
FROM claimed c CROSS JOIN LATERAL (SELECT e.data FROM log.events e WHERE e.seq = c.cause OFFSET 0) d
ORDER BY c.seq;

-- name: claim_unlocked
-- As claim_tasks, but passes by tasks that another session has locked. Sessions of ours hold such locks for milliseconds, so
-- only a claim that waited for one in vain pays for this.
WITH picked AS MATERIALIZED (
    SELECT r.id, r.priority, r.position FROM view.ready r
    WHERE (r.priority, r.position) >= ($1::smallint, $2::bigint)
      AND NOT EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
      AND (SELECT set_config('elruso.brings', 'task.claimed', true)) IS NOT NULL  -- before anything is written
      AND NOT EXISTS (SELECT FROM view.runners d WHERE d.id = $4::json #>> '{}' AND d.draining_since IS NOT NULL)
      AND NOT ($6 AND EXISTS (SELECT FROM view.scheduled f WHERE f.due_at <= log.now()))
      AND EXISTS (SELECT FROM view.tasks k WHERE k.id = r.id FOR UPDATE SKIP LOCKED)
    ORDER BY r.priority, r.position, r.id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    INSERT INTO log.events (kind, id, version, type, actor, cause, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', $5, t.created_seq, ('{"runner":' || $4::text || ',"attempt":' || t.attempts + 1 || '}')::json
    FROM picked p CROSS JOIN LATERAL (SELECT k.id, k.version, k.attempts, k.created_seq FROM view.tasks k WHERE k.id = p.id OFFSET 0) t
    RETURNING id, seq, version, cause, data
)
SELECT c.id, c.seq, c.version, (c.data->>'attempt')::integer AS attempt, d.data AS definition,
       (SELECT p.priority FROM picked p LIMIT 1) AS first_priority, (SELECT p.position FROM picked p LIMIT 1) AS first_position
FROM claimed c CROSS JOIN LATERAL (SELECT e.data FROM log.events e WHERE e.seq = c.cause OFFSET 0) d
ORDER BY c.seq;

-- name: claim_and_show
-- As claim_tasks, and besides each task as whoever looked at it next would see it (tasks_by_id in projections/tasks.sql):
-- as it stood before, with what a claim changes (fold_claims in schema.sql). So nobody has to look.
WITH picked AS MATERIALIZED (
    SELECT r.id, r.priority, r.position FROM view.ready r
    WHERE (r.priority, r.position) >= ($1::smallint, $2::bigint)
      AND NOT EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
      AND (SELECT set_config('elruso.brings', 'task.claimed', true)) IS NOT NULL  -- before anything is written
      AND NOT EXISTS (SELECT FROM view.runners d WHERE d.id = $4::json #>> '{}' AND d.draining_since IS NOT NULL)
      AND NOT ($6 AND EXISTS (SELECT FROM view.scheduled f WHERE f.due_at <= log.now()))
    ORDER BY r.priority, r.position, r.id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    INSERT INTO log.events (kind, id, version, type, actor, cause, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', $5, t.created_seq, ('{"runner":' || $4::text || ',"attempt":' || t.attempts + 1 || '}')::json
    FROM picked p CROSS JOIN LATERAL (SELECT k.id, k.version, k.attempts, k.created_seq FROM view.tasks k WHERE k.id = p.id OFFSET 0) t
    RETURNING id, seq, version, cause, data, at
)
SELECT c.id, c.seq, c.version, (c.data->>'attempt')::integer AS attempt, d.data AS definition,
       (SELECT p.priority FROM picked p LIMIT 1) AS first_priority, (SELECT p.position FROM picked p LIMIT 1) AS first_position,
       row_to_json(task)::text AS shown
FROM claimed c CROSS JOIN LATERAL (SELECT e.data FROM log.events e WHERE e.seq = c.cause OFFSET 0) d
CROSS JOIN LATERAL (
    SELECT t.id, w.phase, t.title, w.body, 'running' AS status, w.branch,
           coalesce(w.depends_on, '[]') AS depends_on, coalesce(w.blocked_by, '[]') AS blocked_by, t.directive_id, t.task_type,
           coalesce(w.steps, '[]') AS steps, coalesce(w.params, '{}') AS params, t.priority, (c.data->>'attempt')::integer AS attempts, t.max_attempts,
           NULL AS next_run_at, t.last_error, c.data->>'runner' AS claimed_by, c.data->>'runner' AS worker_id,
           log.rfc3339(c.at) AS claimed_at, NULL AS started_at, NULL AS finished_at,
           log.rfc3339(t.created_at) AS created_at, log.rfc3339(t.ready_at) AS ready_at,
           t.timeout_seconds, t.waiting_on, t.blocked_parent, c.seq::text AS run_id, w.acceptance,
           coalesce(w.allowed_scope, '[]') AS allowed_scope, c.version
    FROM view.tasks t CROSS JOIN LATERAL json_to_record(d.data) AS w (phase json, body text, branch text, depends_on json, blocked_by json,
        steps json, params json, acceptance json, allowed_scope json)
    WHERE t.id = c.id
    OFFSET 0
) task
ORDER BY c.seq;

-- name: claim_task
-- Claims one named task, if it is eligible now. Of two claimers the second is refused by the log, asks again, and
-- finds nothing. $1 task id, $2 runner (as JSON text), $3 actor
WITH claimed AS (
    INSERT INTO log.events (kind, id, version, type, actor, cause, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', $3, t.created_seq, ('{"runner":' || $2::text || ',"attempt":' || t.attempts + 1 || '}')::json
    FROM view.tasks t
    WHERE t.id = $1 AND t.status = 'ready' AND t.waiting_on = 0 AND (t.next_run_at IS NULL OR t.next_run_at <= log.now())
      AND (SELECT log.lock_tasks(ARRAY[$1], '{}'))  -- before anything is written, as claim_tasks does
      AND NOT EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
      AND NOT EXISTS (SELECT FROM view.runners d WHERE d.id = $2::json #>> '{}' AND d.draining_since IS NOT NULL)
    RETURNING id, seq, version, cause, data
)
SELECT c.id, c.seq, c.version, (c.data->>'attempt')::integer AS attempt, d.data AS definition
FROM claimed c JOIN log.events d ON d.seq = c.cause;

-- name: first_ready
-- The first key among the tasks that were made ready by what was appended from the seq $1 on.
SELECT t.priority, t.position
FROM (SELECT e.id FROM log.events e WHERE e.seq >= $1 AND e.type IN ('task.created', 'task.requeued', 'task.prioritized')
      UNION ALL
      SELECT d.child FROM log.events e CROSS JOIN LATERAL (SELECT k.child FROM view.task_deps k WHERE k.parent = e.id OFFSET 0) d
      WHERE e.seq >= $1 AND e.type = 'task.done') w
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = w.id OFFSET 0) t
WHERE t.status = 'ready' AND t.waiting_on = 0 ORDER BY t.priority, t.position LIMIT 1;

-- name: promote_due
-- Moves scheduled tasks that fell due among the ready ones. Not a change of state: both tables index the same `ready`.
-- $1 how many at most
WITH due AS MATERIALIZED (
    SELECT s.due_at, s.id FROM view.scheduled s WHERE s.due_at <= log.now() ORDER BY s.due_at, s.id LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM view.scheduled s USING due WHERE s.due_at = due.due_at AND s.id = due.id RETURNING s.priority, s.position, s.id
)
INSERT INTO view.ready (priority, position, id) SELECT priority, position, id FROM gone
RETURNING priority, position;

-- name: look_ahead
-- When the next scheduled task falls due (seconds from now; null: none is scheduled), and whether the system is paused.
-- $1 runner: does it drain?
SELECT extract(epoch FROM (SELECT min(due_at) FROM view.scheduled) - log.now())::float8 AS due_seconds,
       EXISTS (SELECT FROM view.system WHERE status = 'paused') AS paused,
       EXISTS (SELECT FROM view.runners d WHERE d.id = $1 AND d.draining_since IS NOT NULL) AS draining;

-- name: report_runs
-- Appends what runs report, for those that are still their task's current run. Fenced-off ones are left out of the answer.
-- `is_free`: some of their children wait for nothing any more (false: they all wait for others, null: there are none), the
-- first of them in the queue at `priority` and `position`.
-- $1 task ids, $2 run ids, $3 places (1, 2 … within one task), $4 types, $5 data, $6 actors
WITH written AS (
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + r.place, r.type, r.actor, CASE r.type WHEN 'task.done' THEN log.seal_artifacts(r.data, r.run_id) ELSE r.data END
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[], $5::json[], $6::text[])
         AS r (id, run_id, place, type, data, actor)
    CROSS JOIN LATERAL (SELECT k.id, k.version FROM view.tasks k WHERE k.id = r.id AND k.run_id = r.run_id OFFSET 0) t
    ORDER BY t.id, r.place  -- every batch takes its streams in this order; and within a stream seq must rise with version
    RETURNING id, type, seq, (data->>'run_id')::bigint AS run_id
), freed AS (
    SELECT k.waiting_on <= c.ended AS is_free, k.priority, k.position
    FROM (SELECT d.child, count(*) AS ended
          FROM written w CROSS JOIN LATERAL (SELECT t.child FROM view.task_deps t WHERE t.parent = w.id OFFSET 0) d
          WHERE w.type = 'task.done' GROUP BY d.child) c
    CROSS JOIN LATERAL (SELECT * FROM view.tasks t WHERE t.id = c.child OFFSET 0) k
    ORDER BY 1 DESC, 2, 3 LIMIT 1
)
SELECT w.id, w.run_id, w.seq, f.is_free, f.priority, f.position FROM written w LEFT JOIN freed f ON true;

-- name: report_runs_at
-- The same for a runner that has counted its runs' events itself: nothing is looked up, and the log's own guard is the
-- fence. One report that does not follow refuses them all; report_runs then tells which.
-- $1 a JSON array of {id, version, type, actor, data} in order of id and version, $2 the tasks that are done
WITH written AS (
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', r.id, r.version, r.type, r.actor, r.data
    FROM json_to_recordset($1::json) AS r (id text, version integer, type text, actor text, data json)
    RETURNING seq
), freed AS (
    SELECT k.waiting_on <= c.ended AS is_free, k.priority, k.position
    FROM (SELECT d.child, count(*) AS ended
          FROM json_array_elements_text($2::json) AS e (id) CROSS JOIN LATERAL (SELECT t.child FROM view.task_deps t WHERE t.parent = e.id OFFSET 0) d
          GROUP BY d.child) c
    CROSS JOIN LATERAL (SELECT * FROM view.tasks t WHERE t.id = c.child OFFSET 0) k
    ORDER BY 1 DESC, 2, 3 LIMIT 1
)
SELECT w.last_seq, f.is_free, f.priority, f.position FROM (SELECT max(seq) AS last_seq FROM written) w LEFT JOIN freed f ON true;

-- name: run_state
-- What became of a run. $1 run
SELECT r.status, r.task_id, r.commit_hash FROM view.runs r WHERE r.id = $1;

-- name: fail_runs
-- Ends runs as failed and decides in the same append: again after a rest while attempts are left, else blocked.
-- $1 task ids, $2 run ids, $3 places, $4 data, $5 may it be tried again?, $6 actors
WITH failing AS MATERIALIZED (
    SELECT t.id, t.version + r.place AS version, t.attempts, t.max_attempts, log.seal_artifacts(r.data, r.run_id) AS data, r.actor, r.retry AND t.attempts < t.max_attempts AS again
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::json[], $5::boolean[], $6::text[]) AS r (id, run_id, place, data, retry, actor)
    CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = r.id AND k.run_id = r.run_id OFFSET 0) t
), decided AS (
    SELECT id, version, 'task.failed' AS type, actor, data FROM failing
    UNION ALL
    SELECT id, version + 1, 'task.requeued', 'system',
           json_build_object('reason', format('attempt %s of %s failed', attempts, max_attempts), 'next_run_at', log.now() + log.backoff(attempts))
    FROM failing WHERE again
    UNION ALL
    SELECT id, version + 1, 'task.blocked', 'system', json_build_object('reason', data->>'error') FROM failing WHERE NOT again
)
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', id, version, type, actor, data FROM decided ORDER BY id, version
RETURNING id, (data->>'run_id')::bigint AS run_id, seq, type = 'task.requeued' AS frees;

-- name: confirm_reports
-- Of reports whose acknowledgement was lost: those that had been written. $1 task ids, $2 run ids, $3 types, $4 step numbers
SELECT r.place
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::integer[]) WITH ORDINALITY AS r (id, run_id, type, number, place)
WHERE EXISTS (SELECT FROM log.events e WHERE e.kind = 'task' AND e.id = r.id AND e.type = r.type
              AND (e.data->>'run_id')::bigint = r.run_id AND (e.data->>'number')::integer IS NOT DISTINCT FROM r.number);

-- name: hand_back_runs
-- Gives claimed tasks back at once; the attempt does not count. $1 task ids, $2 run ids, $3 reason, $4 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, 'task.requeued', $4,
       json_build_object('reason', $3::text, 'run_id', t.run_id, 'attempts', greatest(t.attempts - 1, 0))
FROM unnest($1::text[], $2::bigint[]) AS r (id, run_id)
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = r.id AND k.run_id = r.run_id OFFSET 0) t
ORDER BY t.id
RETURNING id, seq;

-- name: release_runs
-- Gives back at once what a runner holds. The attempt does not count, unless reasons that begin with $5 (null: none do) were
-- given $6 times in a row before. $1 runner, $2 of these runs only (null: all), $3 reason, $4 actor, $5 beginning, $6 free
WITH held AS MATERIALIZED (
    SELECT t.id, t.version, t.run_id, t.attempts, t.max_attempts,
           $5::text IS NOT NULL AND (
               SELECT count(*) FROM log.events e
               WHERE e.kind = 'task' AND e.id = t.id AND e.type = 'task.requeued' AND starts_with(e.data->>'reason', $5::text)
                 AND NOT EXISTS (SELECT FROM log.events o WHERE o.kind = 'task' AND o.id = t.id AND o.version > e.version
                                 AND o.type = 'task.requeued' AND NOT starts_with(o.data->>'reason', $5::text))) >= $6::integer AS counts
    FROM view.running g JOIN view.tasks t ON t.id = g.id AND t.run_id = g.run_id
    WHERE g.runner = $1 AND ($2::bigint[] IS NULL OR g.run_id = ANY ($2::bigint[]))
)
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', h.id, h.version + 1, CASE WHEN h.counts AND h.attempts >= h.max_attempts THEN 'task.blocked' ELSE 'task.requeued' END, $4,
       json_strip_nulls(json_build_object('reason', $3::text, 'run_id', h.run_id,
           'attempts', CASE WHEN NOT h.counts THEN greatest(h.attempts - 1, 0) END,
           'next_run_at', CASE WHEN h.counts AND h.attempts < h.max_attempts THEN log.now() + log.backoff(h.attempts) END))
FROM held h ORDER BY h.id
RETURNING id, seq;

-- name: lock_tasks
-- Before the commands below, in the same transaction: see schema.sql. $1 all their tasks, $2 those that are requeued
SELECT log.lock_tasks($1, $2);

-- name: requeue_task
-- $1 task id, $2 reason, $3 rest in seconds, $4 last error or null, $5 attempts to go on with, $6 actor
-- $5 null: as many as before, if one is left.
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, 'task.requeued', $6,
       json_strip_nulls(json_build_object('reason', $2::text, 'run_id', t.run_id, 'last_error', $4::text, 'attempts', $5::integer,
           'next_run_at', CASE WHEN $3::float8 > 0 THEN log.now() + $3::float8 * interval '1 second' END))
FROM view.tasks t JOIN log.transitions m ON m.type = 'task.requeued' AND t.status = ANY (m.sources)
WHERE t.id = $1 AND ($5::integer IS NOT NULL OR t.attempts < t.max_attempts)
RETURNING seq;

-- name: stop_task
-- Blocks, cancels or fails a task by hand. $1 task id, $2 type, $3 reason or null, $4 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, m.type, $4,
       CASE m.type WHEN 'task.failed' THEN log.seal_artifacts(json_build_object('error', $3::text, 'run_id', t.run_id), t.run_id)
                   ELSE json_strip_nulls(json_build_object('reason', $3::text, 'run_id', t.run_id)) END
FROM view.tasks t JOIN log.transitions m ON m.type = $2 AND t.status = ANY (m.sources)
WHERE t.id = $1
RETURNING seq;

-- name: close_tasks
-- Ends tasks that no run executes, as done or failed. One that rests is requeued in the same statement, so that what its end
-- had blocked rises. $1 task ids, $2 types, $3 what is said, $4 actor
WITH resting AS MATERIALIZED (
    SELECT t.id, t.version, w.type, (t.status <> 'ready')::integer AS reopened
    FROM unnest($1::text[], $2::text[]) AS w (id, type)
    CROSS JOIN LATERAL (SELECT k.id, k.version, k.status, k.run_id FROM view.tasks k WHERE k.id = w.id OFFSET 0) t
    WHERE t.run_id IS NULL AND t.status <> 'done'
), decided AS (
    SELECT id, version + 1 AS version, 'task.requeued' AS type, json_build_object('reason', $3::text) AS data FROM resting WHERE reopened = 1
    UNION ALL
    SELECT id, version + 1 + reopened, type, json_build_object('run_id', NULL, CASE type WHEN 'task.failed' THEN 'error' ELSE 'summary' END, $3::text)
    FROM resting
)
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', id, version, type, $4, data FROM decided ORDER BY id, version
RETURNING id, seq;

-- name: requeue_many
-- Makes many tasks ready again at once, those that can be. $1 task ids, $2 reason, $3 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, 'task.requeued', $3,
       json_strip_nulls(json_build_object('reason', $2::text, 'run_id', t.run_id, 'attempts', 0))
FROM (SELECT DISTINCT n.id FROM unnest($1::text[]) AS n (id)) r
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = r.id OFFSET 0) t
JOIN log.transitions m ON m.type = 'task.requeued' AND t.status = ANY (m.sources)
ORDER BY t.id
RETURNING id, seq;

-- name: prioritize_many
-- Gives many waiting tasks another priority, those that have not got it already. $1 task ids, $2 priority, $3 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, 'task.prioritized', $3, json_build_object('priority', $2::integer)
FROM (SELECT DISTINCT n.id FROM unnest($1::text[]) AS n (id)) r
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = r.id OFFSET 0) t
WHERE t.status = 'ready' AND t.priority <> $2::integer
ORDER BY t.id
RETURNING id, seq;

-- name: cancel_many
-- Cancels many tasks at once, those that can be. $1 task ids, $2 reason or null, $3 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', t.id, t.version + 1, 'task.cancelled', $3,
       json_strip_nulls(json_build_object('reason', $2::text, 'run_id', t.run_id))
FROM (SELECT DISTINCT n.id FROM unnest($1::text[]) AS n (id)) r
CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = r.id OFFSET 0) t
JOIN log.transitions m ON m.type = 'task.cancelled' AND t.status = ANY (m.sources)
ORDER BY t.id
RETURNING id, seq;

-- name: task_state
-- What a refused command must know to say why. $1 task id
SELECT t.status, t.waiting_on, t.run_id, t.last_error, t.claimed_by,
       extract(epoch FROM t.next_run_at - log.now())::float8 AS due_seconds,
       (SELECT array_agg(d.parent ORDER BY d.parent) FROM (
            SELECT d.parent FROM view.task_deps d JOIN view.tasks p ON p.id = d.parent
            WHERE d.child = t.id AND p.status <> 'done' ORDER BY d.parent LIMIT 5) d) AS waits_for,
       (SELECT s.reason FROM view.system s WHERE s.status = 'paused') AS pause_reason,
       EXISTS (SELECT FROM view.system s WHERE s.status = 'paused') AS paused
FROM view.tasks t WHERE t.id = $1;

-- name: creations_known
-- The tasks that were created under these ids or by these commands. $1 ids, $2 command ids
SELECT e.id, e.seq, e.command_id, e.data FROM log.events e WHERE e.kind = 'task' AND e.version = 1 AND e.id = ANY ($1::text[])
UNION ALL
SELECT e.id, e.seq, e.command_id, e.data FROM log.events e WHERE e.command_id = ANY ($2::uuid[]);

-- name: sweep_stuck
-- Takes tasks away from runners that have not been seen for $1 seconds, or that overran their own timeout by as much.
-- One sweeper at a time; at most $2 tasks. $3 seconds for a runner that does not promise heartbeats (`heartbeat_seconds`
-- in its meta) and has sent none since its claim. A sign of life in the future is judged by log.is_silent.
WITH held AS (
    SELECT t.id, t.version, t.run_id, t.attempts, t.max_attempts, t.timeout_seconds, g.runner, l.seconds,
           s.at < log.now() - l.seconds * interval '1 second' OR s.at > log.now() AND log.is_silent(g.runner, g.run_id, l.seconds) AS is_silent,
           t.started_at + (t.timeout_seconds + $1::float8) * interval '1 second' < log.now() AS is_late
    FROM view.running g CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = g.id OFFSET 0) t LEFT JOIN view.runners r ON r.id = g.runner
    CROSS JOIN LATERAL (SELECT greatest(r.last_seen_at, t.claimed_at) AS at) s
    CROSS JOIN LATERAL (SELECT CASE WHEN r.last_seen_at > t.claimed_at OR r.meta->>'heartbeat_seconds' IS NOT NULL THEN $1::float8
                                    ELSE greatest($1::float8, $3::float8) END AS seconds) l
    WHERE (SELECT pg_try_advisory_xact_lock(hashtext('elruso'), hashtext('sweep')))
), stuck AS MATERIALIZED (
    SELECT h.*, CASE WHEN h.is_silent THEN format('runner %s has not been seen for %s s', h.runner, h.seconds)
                     ELSE format('runner %s did not end the run within its %s s', h.runner, h.timeout_seconds) END AS reason
    FROM held h WHERE h.is_silent OR h.is_late ORDER BY h.id LIMIT $2
)
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', s.id, s.version + 1, CASE WHEN s.attempts < s.max_attempts THEN 'task.requeued' ELSE 'task.blocked' END, 'system',
       json_build_object('reason', s.reason, 'run_id', s.run_id)
FROM stuck s ORDER BY s.id
RETURNING seq, type;

-- name: beat
-- One heartbeat, and everything an idle runner needs to know, in one statement.
-- $1 runner id, $2 type, $3 data, $4 actor, $5 lease in seconds, $6 false: without a look at what is ready and what runs,
-- $7 true: a runner.started does not end a drain, and is a runner.heartbeat then; $8 as $3 of sweep_stuck
WITH beat AS (
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'runner', $1, coalesce(r.version, 0) + 1, CASE WHEN $7::boolean AND r.draining_since IS NOT NULL THEN 'runner.heartbeat' ELSE $2 END, $4, $3::json
    FROM (SELECT) one LEFT JOIN view.runners r ON r.id = $1
    RETURNING seq, type
)
SELECT b.seq,
       $6::boolean AND EXISTS (SELECT FROM view.ready) AS ready,
       EXISTS (SELECT FROM view.system s WHERE s.status = 'paused') AS paused,
       b.type = 'runner.heartbeat' AND EXISTS (SELECT FROM view.runners d WHERE d.id = $1 AND d.draining_since IS NOT NULL) AS draining,
       extract(epoch FROM (SELECT min(s.due_at) FROM view.scheduled s) - log.now())::float8 AS due_seconds,
       CASE WHEN $6 THEN ARRAY(SELECT g.run_id FROM view.running g WHERE g.runner = $1) END AS held,
       $6 AND EXISTS (SELECT FROM view.running g CROSS JOIN LATERAL (SELECT * FROM view.tasks k WHERE k.id = g.id OFFSET 0) t LEFT JOIN view.runners r ON r.id = g.runner
               WHERE g.runner <> $1 AND (greatest(r.last_seen_at, t.claimed_at) < log.now() - $5::float8 * interval '1 second'
                                         AND (r.last_seen_at > t.claimed_at OR r.meta->>'heartbeat_seconds' IS NOT NULL
                                              OR t.claimed_at < log.now() - $8::float8 * interval '1 second')
                      OR greatest(r.last_seen_at, t.claimed_at) > log.now() AND log.is_silent(g.runner, g.run_id,
                             CASE WHEN r.last_seen_at > t.claimed_at OR r.meta->>'heartbeat_seconds' IS NOT NULL THEN $5 ELSE greatest($5, $8::float8) END))
                  OR t.started_at + (t.timeout_seconds + $5::float8) * interval '1 second' < log.now()) AS stuck
FROM beat b;

-- name: change_system
-- Pauses or resumes; appends nothing when it is so already. $1 type, $2 data, $3 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'system', 'main', coalesce(s.version, 0) + 1, m.type, $3, $2::json
FROM log.transitions m LEFT JOIN view.system s ON s.id = 'main'
WHERE m.type = $1 AND coalesce(s.status, '') = ANY (m.sources)
RETURNING seq;

-- name: append_output
-- Chunks of output, for runs that are still current. A chunk that is there already stays.
-- $1 task ids, $2 run ids, $3 chunk numbers, $4 steps, $5 streams, $6 texts
INSERT INTO log.output (run_id, chunk, step, stream, data)
SELECT o.run_id, o.chunk, o.step, o.stream, o.data
FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::integer[], $5::text[], $6::text[]) AS o (id, run_id, chunk, step, stream, data)
CROSS JOIN LATERAL (SELECT FROM view.tasks k WHERE k.id = o.id AND k.run_id = o.run_id OFFSET 0) t
ON CONFLICT DO NOTHING;

-- name: save_artifact
-- $1 run id, $2 kind, $3 content, $4 commit before it, $5 commit with it, or null
SELECT log.store_artifact($1, $2, $3, $4, $5) AS outcome;
