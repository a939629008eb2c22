-- The directive and planner streams, their transitions, and what follows from the end of a directive's last task.
INSERT INTO log.transitions (kind, type, sources, target) VALUES
    ('directive', 'directive.proposed', '{""}',      'PENDING'),
    ('directive', 'directive.applied',  '{PENDING}', 'APPLIED'),
    ('directive', 'directive.rejected', '{PENDING}', 'REJECTED'),
    ('planner',   'planner.completed',  '{""}',      'completed'),
    ('planner',   'planner.failed',     '{""}',      'failed');

-- How far the run of the planner is that is under way: a note to whoever watches, no history. A row counts only while
-- its run holds the planner's lock (ops/planner/flight.py); what a killed one leaves behind the next one removes.
CREATE TABLE log.planner_progress (
    run_id      text PRIMARY KEY,
    stage       text NOT NULL,
    detail      text,
    model       text NOT NULL,
    environment text NOT NULL,
    started_by  text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT log.now(),
    changed_at  timestamptz NOT NULL DEFAULT log.now()
);

-- The task.created events of a directive, made from its proposal (events/directive.py, PlannedTask), in order.
CREATE FUNCTION log.planned_tasks(directive text, proposed bigint) RETURNS TABLE (id text, place bigint, data json) LANGUAGE sql STABLE
AS $$
    SELECT t.task->>'id', t.place, ((t.task::jsonb - 'id') || jsonb_build_object('directive_id', directive))::json
    FROM log.events e CROSS JOIN LATERAL json_array_elements(e.data->'tasks_to_create') WITH ORDINALITY AS t (task, place)
    WHERE e.seq = proposed
$$;

-- A directive whose tasks are all done is applied. One that is `auto` and waited for credentials gets its tasks with the
-- last of them. Its row is locked before the rest is looked at, so of two last ones the second sees the first. What this
-- appends makes notes of its own (elruso.types, elruso.children); log.react comes after it and needs the statement's.
CREATE FUNCTION log.react_directives() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET jit = off AS $$
DECLARE
    types    CONSTANT text[] := current_setting('elruso.types');
    children CONSTANT text := current_setting('elruso.children');
    touched text[];
    cause   bigint;
BEGIN
    IF NOT types && '{task.done,request.provided}' OR to_regclass('view.directives') IS NULL THEN
        RETURN NULL;  -- (null: the views of an older version, until they are rebuilt)
    END IF;
    IF NOT EXISTS (SELECT FROM directives WHERE status = 'PENDING') THEN
        RETURN NULL;
    END IF;
    SELECT max(seq) INTO cause FROM batch WHERE type IN ('task.done', 'request.provided');
    SELECT array_agg(DISTINCT d.id) INTO touched FROM (
        SELECT t.directive_id AS id
        FROM batch b CROSS JOIN LATERAL (SELECT k.directive_id FROM tasks k WHERE k.id = b.id OFFSET 0) t WHERE b.type = 'task.done'
        UNION
        SELECT d.id FROM batch b JOIN directives d ON b.type = 'request.provided' AND d.status = 'PENDING' AND b.id = ANY (d.required)
    ) d;
    PERFORM FROM directives d WHERE d.id = ANY (touched) AND d.status = 'PENDING' ORDER BY d.id FOR NO KEY UPDATE;

    INSERT INTO events (kind, id, version, type, actor, cause, data)
    SELECT 'directive', d.id, d.version + 1, 'directive.applied', 'system', cause, '{"reason":"all its tasks are done"}'
    FROM directives d
    WHERE d.id = ANY (touched) AND d.status = 'PENDING' AND cardinality(d.task_ids) > 0
      AND NOT EXISTS (SELECT FROM unnest(d.task_ids) AS i (id) LEFT JOIN tasks t ON t.id = i.id WHERE t.status IS DISTINCT FROM 'done')
    ORDER BY d.id;

    IF 'request.provided' = ANY (types) THEN
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'task', p.id, 1, 'task.created', 'system', cause, p.data
        FROM directives d CROSS JOIN LATERAL planned_tasks(d.id, d.proposed_seq) p
        WHERE d.id = ANY (touched) AND d.status = 'PENDING' AND d.approval = 'auto'
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = ANY (d.task_ids))
          AND NOT EXISTS (SELECT FROM unnest(d.required) AS w (id) LEFT JOIN requests r ON r.id = w.id WHERE r.status IS DISTINCT FROM 'PROVIDED')
        ORDER BY d.proposed_seq, p.place;
    END IF;
    PERFORM set_config('elruso.types', types::text, true), set_config('elruso.children', children, true);
    RETURN NULL;
END $$;
CREATE TRIGGER append_3_directives AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch
    FOR EACH STATEMENT EXECUTE FUNCTION log.react_directives();

DO $$ BEGIN
    IF to_regrole('elruso_service') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON log.planner_progress TO elruso_service;
    END IF;
END $$;
