-- Directives: what was proposed, what was decided, and how far its tasks are.

-- name: directives_by_id
-- The directives with the ids $1, in that order, as a JSON array; without the tasks that they plan unless $2.
SELECT coalesce(json_agg(directive ORDER BY wanted.place), '[]')::text
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (
    SELECT d.id, d.status, d.title, p.body, coalesce(p.acceptance_criteria, '[]') AS acceptance_criteria, coalesce(p.risks, '[]') AS risks,
           coalesce(p.required_requests, '[]') AS required_requests,
           CASE WHEN $2 THEN coalesce(p.tasks_to_create, '[]') ELSE '[]' END AS tasks_to_create, d.approval,
           coalesce(p.notes, '[]') AS notes, coalesce(p.extra, '{}') AS extra, d.planner_run,
           coalesce(p.extra->>'source', split_part(d.proposed_by, ':', 1)) AS source, d.proposed_by, log.rfc3339(d.proposed_at) AS created_at, d.decided_by,
           log.rfc3339(d.decided_at) AS decided_at,
           CASE d.status WHEN 'APPLIED' THEN log.rfc3339(d.decided_at) END AS applied_at, CASE d.status WHEN 'APPLIED' THEN d.decided_by END AS applied_by,
           d.reason, CASE d.status WHEN 'REJECTED' THEN d.reason END AS rejection_reason, coalesce(v.data->'left_out', '[]') AS left_out,
           ARRAY(SELECT w.id FROM unnest(d.required) AS w (id) LEFT JOIN view.requests r ON r.id = w.id
                 WHERE d.status = 'PENDING' AND r.status IS DISTINCT FROM 'PROVIDED') AS missing_requests,
           (SELECT json_build_object('planned', cardinality(d.task_ids), 'created', count(t.id), 'ready', count(*) FILTER (WHERE t.status = 'ready'),
                'running', count(*) FILTER (WHERE t.status = 'running'), 'done', count(*) FILTER (WHERE t.status = 'done'),
                'failed', count(*) FILTER (WHERE t.status = 'failed'), 'blocked', count(*) FILTER (WHERE t.status = 'blocked'),
                'cancelled', count(*) FILTER (WHERE t.status = 'cancelled'))
            FROM view.tasks t WHERE t.id = ANY (d.task_ids)) AS tasks,
           d.version
    FROM view.directives d JOIN log.events e ON e.seq = d.proposed_seq
    LEFT JOIN log.events v ON v.seq = d.decided_seq
    CROSS JOIN LATERAL json_to_record(e.data) AS p (body text, acceptance_criteria json, risks json, required_requests json, tasks_to_create json, notes json,
        extra json)
    WHERE d.id = wanted.id OFFSET 0
) directive;

-- name: count_fitting
-- How many of the directives $1, from the first, have proposals that take no more than $2 bytes, but for the last.
SELECT count(*) FROM (
    SELECT sum(e.bytes) OVER (ORDER BY w.place) - e.bytes AS ahead
    FROM unnest($1::text[]) WITH ORDINALITY AS w (id, place)
    CROSS JOIN LATERAL (SELECT k.proposed_seq FROM view.directives k WHERE k.id = w.id OFFSET 0) d
    CROSS JOIN LATERAL (SELECT octet_length(v.data::text) AS bytes FROM log.events v WHERE v.seq = d.proposed_seq OFFSET 0) e
) s WHERE s.ahead < $2::bigint;

-- name: list_directives
-- The newest first. $1 before this proposal, $2 statuses, $3 limit
SELECT d.id, d.proposed_seq
FROM unnest($2::text[]) AS s (status)
CROSS JOIN LATERAL (SELECT k.id, k.proposed_seq FROM view.directives k
                    WHERE k.status = s.status AND k.proposed_seq < $1 ORDER BY k.proposed_seq DESC LIMIT $3) d
ORDER BY d.proposed_seq DESC LIMIT $3;

-- name: count_undecided
-- How many of the newest $1 pending directives wait for somebody's decision.
SELECT count(*)
FROM (SELECT 'PENDING' AS status OFFSET 0) s
CROSS JOIN LATERAL (SELECT k.approval FROM view.directives k WHERE k.status = s.status ORDER BY k.proposed_seq DESC LIMIT $1) d
WHERE d.approval = 'manual';

-- name: count_directives
-- How many there are in the statuses $1; null when there are more than $2: they are not counted then.
SELECT CASE WHEN count(*) <= $2::bigint THEN count(*) END
FROM (SELECT FROM unnest($1::text[]) AS s (status)
      CROSS JOIN LATERAL (SELECT FROM view.directives k WHERE k.status = s.status ORDER BY k.proposed_seq LIMIT $2::bigint + 1) d
      LIMIT $2::bigint + 1) d;

-- name: planned_tasks
-- The tasks that the directive $1 plans, in the order in which they are created, beside what there is of them by now.
SELECT coalesce(json_agg(json_build_object('plan', p.data, 'id', p.id, 'status', t.status) ORDER BY p.place), '[]')::text
FROM view.directives d CROSS JOIN LATERAL log.planned_tasks(d.id, d.proposed_seq) p LEFT JOIN view.tasks t ON t.id = p.id
WHERE d.id = $1;

-- name: page_of_plan
-- Of what the directive $1 plans: the $3 tasks behind the first $2, whole, since somebody decides about them; of those
-- before them what they wait for; how many there are of tasks; the digest of all. The proposal is taken apart once.
WITH proposal AS MATERIALIZED (
    SELECT coalesce(e.data->'tasks_to_create', '[]') AS tasks
    FROM view.directives d JOIN log.events e ON e.seq = d.proposed_seq WHERE d.id = $1
), planned AS MATERIALIZED (
    SELECT p.task, p.place FROM proposal CROSS JOIN LATERAL json_array_elements(proposal.tasks) WITH ORDINALITY AS p (task, place)
)
SELECT json_build_object(
    'before', (SELECT coalesce(json_agg(json_build_object('id', p.task->'id', 'depends_on', p.task->'depends_on') ORDER BY p.place), '[]')
               FROM planned p WHERE p.place <= $2::bigint),
    'tasks', (SELECT coalesce(json_agg(json_build_object('id', p.task->'id', 'status', k.status, 'plan', p.task) ORDER BY p.place), '[]')
              FROM planned p LEFT JOIN LATERAL (SELECT x.status FROM view.tasks x WHERE x.id = p.task->>'id' OFFSET 0) k ON true
              WHERE p.place > $2::bigint AND p.place <= $2::bigint + $3::bigint),
    'total', (SELECT count(*) FROM planned),
    'digest', encode(sha256(convert_to(proposal.tasks::text, 'UTF8')), 'hex'))::text
FROM proposal;

-- name: plan_digest
-- The digest of what the directive $1 plans, as page_of_plan has it.
SELECT encode(sha256(convert_to(coalesce(e.data->'tasks_to_create', '[]')::text, 'UTF8')), 'hex')
FROM view.directives d JOIN log.events e ON e.seq = d.proposed_seq WHERE d.id = $1;
