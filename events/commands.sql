-- The commands: every statement that appends events. Prepared by name, one round trip each.
-- They read the current version and append the next in one statement; should another writer come first, the unique
-- index or the fold refuses the statement and the caller sends it again (events/errors.py: RETRYABLE).

-- name: create_tasks
-- Appends task.created for ids that are free. An id or command that is taken is left out of the answer.
-- $1 ids, $2 definitions, $3 actor, $4 command ids (null: none)
INSERT INTO log.events (kind, id, version, type, actor, data, command_id)
SELECT 'task', w.id, 1, 'task.created', $3, w.definition, w.command_id
FROM unnest($1::text[], $2::json[], $4::uuid[]) WITH ORDINALITY AS w (id, definition, command_id, place)
ORDER BY w.place
ON CONFLICT DO NOTHING
RETURNING id, seq;

-- name: claim_tasks
-- Claims up to $3 tasks in claim order, beginning at the key ($1 priority, $2 position), for runner $4 (as JSON text).
WITH picked AS MATERIALIZED (
    SELECT r.id FROM view.ready r
    WHERE (r.priority, r.position) >= ($1::smallint, $2::bigint)
      AND NOT EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
    ORDER BY r.priority, r.position, r.id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', $5, ('{"runner":' || $4::text || ',"attempt":' || t.attempts + 1 || '}')::json
    FROM picked p JOIN view.tasks t ON t.id = p.id
    RETURNING id, seq, version
)
SELECT c.id, c.seq, c.version, t.attempts + 1 AS attempt, t.priority, t.position, d.data AS definition
FROM claimed c JOIN view.tasks t ON t.id = c.id JOIN log.events d ON d.seq = t.created_seq
ORDER BY t.priority, t.position, c.id;

-- name: report_runs
-- Appends what runs report, for those that are still their task's current run. Fenced-off ones are left out of the answer.
-- $1 task ids, $2 run ids, $3 places (1, 2 … within one task), $4 types, $5 data, $6 actors
WITH written AS (
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + r.place, r.type, r.actor, r.data
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[], $5::json[], $6::text[]) AS r (id, run_id, place, type, data, actor)
    JOIN view.tasks t ON t.id = r.id AND t.run_id = r.run_id
    RETURNING id, type
)
SELECT w.id, w.type = 'task.done' AND EXISTS (SELECT FROM view.task_deps d WHERE d.parent = w.id) AS frees FROM written w;
