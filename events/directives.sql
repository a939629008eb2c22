-- The commands about directives. What belongs together is written in one transaction; should another writer come first,
-- the log refuses and the whole is done again.

-- name: lock_decisions
-- One decision about directives and requests at a time, beginning before anything is looked at.
SELECT log.lock_decisions();

-- name: lock_planned_tasks
-- Claims pass the tasks of the directive $1 by until the decision about it is written.
SELECT log.lock_tasks(d.task_ids, '{}') FROM view.directives d WHERE d.id = $1;

-- name: proposal_known
-- What of it is there already. $1 directive ids, $2 task ids, $3 digests
SELECT 'directive' AS what, d.id AS key, d.digest AS value FROM view.directives d WHERE d.id = ANY ($1::text[])
UNION ALL
SELECT 'task', t.id, NULL FROM view.tasks t WHERE t.id = ANY ($2::text[])
UNION ALL
SELECT 'pending', d.digest, d.id FROM view.directives d WHERE d.status = 'PENDING' AND d.digest = ANY ($3::text[]);

-- name: begin_stream
-- The first event of a stream. $1 kind, $2 id, $3 type, $4 actor, $5 data, $6 cause or null, $7 command id or null
INSERT INTO log.events (kind, id, version, type, actor, data, cause, command_id)
VALUES ($1, $2, 1, $3, $4, $5::json, $6, $7) RETURNING seq;

-- name: proposals_by_command
-- What was proposed by the commands $1.
SELECT e.id, e.command_id, e.data FROM log.events e WHERE e.command_id = ANY ($1::uuid[]);

-- name: read_first
-- The first event of a stream. $1 kind, $2 id
SELECT e.type, e.data FROM log.events e WHERE e.kind = $1 AND e.id = $2 AND e.version = 1;

-- name: missing_requests
-- Which of the requests $1 are not provided.
SELECT w.id FROM unnest($1::text[]) WITH ORDINALITY AS w (id, place) LEFT JOIN view.requests r ON r.id = w.id
WHERE r.status IS DISTINCT FROM 'PROVIDED' ORDER BY w.place;

-- name: directive_state
-- What must be known before anything is decided about the directive $1.
SELECT d.status, d.version, d.required, e.data,
       ARRAY(SELECT t.id FROM view.tasks t WHERE t.id = ANY (d.task_ids)) AS existing,
       ARRAY(SELECT t.id FROM view.tasks t WHERE t.id = ANY (d.task_ids) AND t.status NOT IN ('ready', 'blocked', 'cancelled')) AS begun
FROM view.directives d JOIN log.events e ON e.seq = d.proposed_seq
WHERE d.id = $1;

-- name: apply_directive
-- Applies the directive $1, in one statement: its tasks that do not exist are created, those left out are cancelled.
-- $2 its version, $3 actor, $4 ids of tasks to leave out, $5 data of the event, $6 why they are left out
WITH decided AS MATERIALIZED (
    SELECT d.id, d.task_ids, d.proposed_seq FROM view.directives d WHERE d.id = $1
), next AS (
    SELECT 1 AS part, 0::bigint AS place, 'directive' AS kind, d.id, $2::integer + 1 AS version, 'directive.applied' AS type, $5::json AS data
    FROM decided d
    UNION ALL
    SELECT 2, p.place, 'task', p.id, 1, 'task.created', p.data
    FROM decided d CROSS JOIN LATERAL log.planned_tasks(d.id, d.proposed_seq) p
    WHERE p.id <> ALL ($4::text[]) AND NOT EXISTS (SELECT FROM view.tasks t WHERE t.id = p.id)
    UNION ALL
    SELECT 3, row_number() OVER (ORDER BY t.id), 'task', t.id, t.version + 1, 'task.cancelled', json_build_object('reason', $6::text)
    FROM decided d JOIN view.tasks t ON t.id = ANY (d.task_ids) AND t.id = ANY ($4::text[]) AND t.status IN ('ready', 'blocked')
)
INSERT INTO log.events (kind, id, version, type, actor, cause, data)
SELECT n.kind, n.id, n.version, n.type, $3, d.proposed_seq, n.data FROM next n CROSS JOIN decided d ORDER BY n.part, n.place
RETURNING id, type, seq;

-- name: reject_directive
-- Rejects the directive $1 and cancels what of it has not started. $2 its version, $3 actor, $4 data, $5 why it is cancelled
WITH decided AS MATERIALIZED (
    SELECT d.id, d.task_ids, d.proposed_seq FROM view.directives d WHERE d.id = $1
), next AS (
    SELECT 0::bigint AS place, 'directive' AS kind, d.id, $2::integer + 1 AS version, 'directive.rejected' AS type, $4::json AS data
    FROM decided d
    UNION ALL
    SELECT row_number() OVER (ORDER BY t.id), 'task', t.id, t.version + 1, 'task.cancelled', json_build_object('reason', $5::text)
    FROM decided d JOIN view.tasks t ON t.id = ANY (d.task_ids) AND t.status IN ('ready', 'blocked')
)
INSERT INTO log.events (kind, id, version, type, actor, cause, data)
SELECT n.kind, n.id, n.version, n.type, $3, d.proposed_seq, n.data FROM next n CROSS JOIN decided d ORDER BY n.place
RETURNING id, type, seq;
