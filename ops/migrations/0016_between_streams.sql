-- Between streams whoever comes second sees the other: requeues lock the parents, decisions about directives and requests
-- come one at a time, commands that take tasks from the queue lock them there first. A time that is not the database's own
-- has an SQLSTATE of its own, and a full queue of notifications costs no write. Hints of sessions that are not ours name the first key in the queue.

CREATE OR REPLACE FUNCTION log.notify(channel text, payload text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_notification_queue_usage() > 0.9 THEN
        RETURN false;
    END IF;
    PERFORM pg_notify(channel, payload);
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION log.announce_credentials() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log.notify('elruso', 't');
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION log.guard_append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = log, pg_temp AS $$
DECLARE
    often  CONSTANT text[] := '{task.created,task.claimed,task.started,task.step,task.done,runner.heartbeat}';
    brings CONSTANT text := coalesce(current_setting('elruso.brings', true), '');
    managed CONSTANT boolean := coalesce(current_setting('elruso.managed', true), '') = 'on' OR pg_trigger_depth() > 1;
    said     record;
    types    text := '{' || brings || '}';
    known    boolean := true;
    offender record;
    noted    text;
BEGIN
    IF brings <> '' THEN
        noted := set_config('elruso.brings', '', true);
        noted := set_config('elruso.types', types, true);
        noted := set_config('elruso.children', 'false', true);
        IF managed AND brings IN ('task.created', 'task.claimed') AND NOT EXISTS (SELECT FROM batch b WHERE b.kind <> 'task' OR b.type <> brings OR b.at < statement_timestamp() OR b.at > clock_timestamp()
                       OR b.type = 'task.created' AND b.data->'depends_on' IS NOT NULL) THEN
            RETURN NULL;  -- the short way, for the statements that a wake-up waits for
        END IF;
    END IF;
    SELECT min(b.kind) AS kind, min(b.type) AS type, min(b.kind) = max(b.kind) AND min(b.type) = max(b.type) AS is_one, min(b.at) AS earliest,
           max(b.at) AS latest, bool_or(b.type = 'task.created' AND b.data->'depends_on' IS NOT NULL) AS children INTO said FROM batch b;
    IF said.is_one AND said.kind = 'task' AND said.type IN ('task.created', 'task.claimed', 'task.done') THEN  -- what comes all day
        types := '{' || said.type || '}';
    ELSE
        SELECT coalesce(array_agg(b.type ORDER BY b.type), '{}')::text,
               coalesce(bool_and(EXISTS (SELECT FROM transitions t WHERE t.type = b.type AND t.kind = b.kind)), true) INTO types, known
        FROM (SELECT kind, type FROM batch GROUP BY kind, type) b;
    END IF;
    IF NOT known OR said.earliest < '1970-01-01 00:00:00+00' OR said.latest > '9998-12-31 00:00:00+00' THEN
        SELECT b.type, b.kind, b.at INTO offender FROM batch b LEFT JOIN transitions t ON t.type = b.type AND t.kind = b.kind
        WHERE t.type IS NULL OR known AND b.at IN (said.earliest, said.latest) LIMIT 1;
        RAISE EXCEPTION 'malformed event % in a % stream at %: the type must be known and the time is the database''s to set',
            offender.type, offender.kind, offender.at USING ERRCODE = 'ER006';
    END IF;
    IF coalesce(current_setting('elruso.now', true), '') = '' AND (said.earliest < statement_timestamp() OR said.latest > clock_timestamp()) THEN
        RAISE EXCEPTION 'events at % … %: the time is the database''s to set', said.earliest, said.latest
            USING ERRCODE = 'ER008', HINT = 'leave `at` out; send it again if the clock of the server was set back';
    END IF;
    IF NOT managed AND EXISTS (SELECT FROM batch b WHERE b.seq <= current_setting('elruso.mark', true)::bigint OR b.seq > currval('events_seq_seq')) THEN
        RAISE EXCEPTION 'malformed event: its position in the log is the database''s to set' USING ERRCODE = 'ER006', HINT = 'leave seq out';
    END IF;
    IF NOT (managed AND types::text[] <@ often) THEN
        SELECT b.type, b.id, k.broken INTO offender
        FROM batch b JOIN rules e ON e.name = b.kind JOIN rules d ON d.name = b.type CROSS JOIN LATERAL (
            SELECT coalesce(broken_rule(json_build_object('id', b.id, 'actor', b.actor, 'cause', b.cause), e.rule, 'event'),
                            undecodable(b.data::jsonb), broken_rule(b.data, d.rule, 'data')) AS broken OFFSET 0) k
        WHERE NOT (managed AND b.type = ANY (often)) AND k.broken IS NOT NULL LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'malformed event % of %: %', offender.type, offender.id, offender.broken
                USING ERRCODE = 'ER006', HINT = 'docs/events.md says what each event holds';
        END IF;
    END IF;
    IF brings <> '' AND (brings NOT IN ('task.created', 'task.claimed') OR said.children OR types <> '{' || brings || '}') THEN
        RAISE EXCEPTION 'a statement that brings % said "%" beforehand; it may say task.created or task.claimed, if it brings nothing else and no children',
            types, brings USING ERRCODE = 'ER006', HINT = 'leave elruso.brings unset';
    END IF;
    noted := set_config('elruso.types', types, true);
    noted := set_config('elruso.children', coalesce(said.children, false)::text, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION log.lock_tasks(ids text[], requeued text[]) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET enable_hashjoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    locked bigint;
BEGIN
    PERFORM FROM unnest(ids) AS w (id) CROSS JOIN LATERAL (SELECT t.* FROM tasks t WHERE t.id = w.id AND t.status = 'ready' OFFSET 0) t
    JOIN ready r ON r.priority = t.priority AND r.position = t.position AND r.id = t.id ORDER BY r.id FOR UPDATE OF r;
    IF requeued <> '{}' THEN
        WITH RECURSIVE rising AS (
            SELECT w.id COLLATE "C" AS id FROM unnest(requeued) AS w (id)
          UNION
            SELECT c.id FROM rising r JOIN task_deps d ON d.parent = r.id JOIN tasks c ON c.id = d.child AND c.status = 'blocked' AND c.blocked_parent = r.id
        ), parents AS MATERIALIZED (
            SELECT d.parent AS id FROM rising r JOIN task_deps d ON d.child = r.id WHERE d.parent <> ALL (ids) EXCEPT SELECT r.id FROM rising r
        ), held AS MATERIALIZED (
            SELECT FROM parents w JOIN tasks p ON p.id = w.id AND p.status <> 'done' ORDER BY p.id FOR SHARE OF p
        )
        SELECT count(*) INTO locked FROM held;
    END IF;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION log.lock_decisions() RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtext('elruso'), hashtext('decisions'))
$$;

CREATE OR REPLACE FUNCTION log.react() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET enable_hashjoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    types CONSTANT text[] := current_setting('elruso.types');
BEGIN
    IF NOT types && '{task.failed,task.blocked,task.cancelled,task.requeued}' AND current_setting('elruso.children') = 'false' THEN
        RETURN NULL;
    END IF;
    IF 'task.requeued' = ANY (types) AND EXISTS (SELECT FROM batch b CROSS JOIN LATERAL (
            SELECT FROM task_deps d WHERE d.child = b.id UNION ALL SELECT FROM task_deps d WHERE d.parent = b.id) d WHERE b.type = 'task.requeued') THEN
        PERFORM lock_tasks(ARRAY(SELECT b.id FROM batch b), ARRAY(SELECT b.id FROM batch b WHERE b.type = 'task.requeued'));
    END IF;
    WITH RECURSIVE fallen AS (
        SELECT d.child, d.parent, b.seq AS cause
        FROM batch b JOIN task_deps d ON d.parent = b.id
        JOIN tasks p ON p.id = b.id AND p.status IN ('failed', 'blocked', 'cancelled')
        WHERE b.type IN ('task.failed', 'task.blocked', 'task.cancelled')
      UNION
        SELECT d.child, d.parent, b.seq
        FROM batch b JOIN task_deps d ON d.child = b.id
        JOIN tasks p ON p.id = d.parent AND p.status IN ('failed', 'blocked', 'cancelled')
        WHERE b.type IN ('task.created', 'task.requeued')
      UNION
        SELECT d.child, d.parent, f.cause
        FROM fallen f JOIN tasks t ON t.id = f.child AND t.status = 'ready' JOIN task_deps d ON d.parent = f.child
    )
    INSERT INTO events (kind, id, version, type, actor, cause, data)
    SELECT DISTINCT ON (c.id) 'task', c.id, c.version + 1, 'task.blocked', 'system', f.cause,
           json_build_object('reason', format('parent %s is %s', f.parent,
               CASE WHEN p.status = 'ready' THEN 'blocked' ELSE p.status || coalesce(': ' || p.last_error, '') END), 'parent', f.parent)
    FROM fallen f JOIN tasks c ON c.id = f.child AND c.status = 'ready' JOIN tasks p ON p.id = f.parent
    ORDER BY c.id, f.parent;

    WITH RECURSIVE risen AS (
        SELECT c.id, b.id AS parent, b.seq AS cause
        FROM batch b JOIN tasks p ON p.id = b.id AND p.status NOT IN ('failed', 'blocked', 'cancelled')  -- it may have gone on
        JOIN task_deps d ON d.parent = b.id
        JOIN tasks c ON c.id = d.child AND c.status = 'blocked' AND c.blocked_parent = b.id
        WHERE b.type = 'task.requeued'
      UNION
        SELECT c.id, r.id, r.cause
        FROM risen r JOIN task_deps d ON d.parent = r.id
        JOIN tasks c ON c.id = d.child AND c.status = 'blocked' AND c.blocked_parent = r.id
    )
    INSERT INTO events (kind, id, version, type, actor, cause, data)
    SELECT DISTINCT ON (c.id) 'task', c.id, c.version + 1, 'task.requeued', 'system', r.cause,
           json_build_object('reason', format('parent %s was requeued', r.parent))
    FROM risen r JOIN tasks c ON c.id = r.id
    ORDER BY c.id, r.parent;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION log.react_directives() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET jit = off AS $$
DECLARE
    types    CONSTANT text[] := current_setting('elruso.types');
    children CONSTANT text := current_setting('elruso.children');
    touched    text[];
    reason_seq bigint;
BEGIN
    IF NOT types && '{task.done,request.provided,directive.proposed,directive.rejected}' OR to_regclass('view.directives') IS NULL THEN
        RETURN NULL;  -- (null: the views of an older version, until they are rebuilt)
    END IF;
    IF types && '{request.provided,directive.proposed,directive.rejected}' THEN
        PERFORM lock_decisions();
    ELSIF NOT EXISTS (SELECT FROM directives WHERE status = 'PENDING') THEN
        RETURN NULL;
    END IF;
    SELECT max(seq) INTO reason_seq FROM batch WHERE type IN ('task.done', 'request.provided');
    SELECT array_agg(DISTINCT d.id) INTO touched FROM (
        SELECT t.directive_id AS id
        FROM batch b CROSS JOIN LATERAL (SELECT k.directive_id FROM tasks k WHERE k.id = b.id OFFSET 0) t WHERE b.type = 'task.done'
        UNION
        SELECT d.id FROM batch b JOIN directives d ON b.type = 'request.provided' AND d.status = 'PENDING' AND b.id = ANY (d.required)
        UNION
        SELECT b.id FROM batch b WHERE b.type = 'directive.proposed'
    ) d;
    PERFORM FROM directives d WHERE d.id = ANY (touched) AND d.status = 'PENDING' ORDER BY d.id FOR NO KEY UPDATE;

    IF 'task.done' = ANY (types) THEN
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'directive', d.id, d.version + 1, 'directive.applied', 'system', reason_seq, '{"reason":"all its tasks are done"}'
        FROM directives d
        WHERE d.id = ANY (touched) AND d.status = 'PENDING' AND cardinality(d.task_ids) > 0
          AND NOT EXISTS (SELECT FROM unnest(d.task_ids) AS i (id) LEFT JOIN tasks t ON t.id = i.id WHERE t.status IS DISTINCT FROM 'done')
        ORDER BY d.id;
    END IF;
    IF types && '{request.provided,directive.proposed}' THEN
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'task', p.id, 1, 'task.created', coalesce(b.actor, 'system'), coalesce(b.seq, reason_seq), p.data
        FROM directives d LEFT JOIN batch b ON b.type = 'directive.proposed' AND b.id = d.id CROSS JOIN LATERAL planned_tasks(d.id, d.proposed_seq) p
        WHERE d.id = ANY (touched) AND d.status = 'PENDING' AND d.approval = 'auto'
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = p.id)
          AND NOT EXISTS (SELECT FROM unnest(d.required) AS w (id) LEFT JOIN requests r ON r.id = w.id WHERE r.status IS DISTINCT FROM 'PROVIDED')
        ORDER BY d.proposed_seq, p.place;
    END IF;
    IF 'directive.rejected' = ANY (types) THEN
        PERFORM lock_tasks(d.task_ids, '{}') FROM batch b JOIN directives d ON d.id = b.id WHERE b.type = 'directive.rejected';
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'task', t.id, t.version + 1, 'task.cancelled', b.actor, b.seq, json_build_object('reason', format('directive %s was rejected', d.id))
        FROM batch b JOIN directives d ON d.id = b.id JOIN tasks t ON t.id = ANY (d.task_ids) AND t.directive_id = d.id AND t.status IN ('ready', 'blocked')
        WHERE b.type = 'directive.rejected' ORDER BY t.id;
    END IF;
    PERFORM set_config('elruso.types', types::text, true), set_config('elruso.children', children, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION log.is_silent(runner text, run bigint, seconds double precision) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM log.events e
        WHERE e.seq > greatest(run, (SELECT b.seq FROM log.events b WHERE b.kind = 'runner' AND b.id = runner ORDER BY b.version DESC LIMIT 1))
          AND e.at < log.now() - seconds * interval '1 second')
$$;

CREATE OR REPLACE FUNCTION log.wake_foreign() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET enable_hashjoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    first_key text := (SELECT ',r:' || t.priority || ':' || t.position FROM (
            SELECT b.id FROM batch b WHERE b.kind = 'task'
            UNION ALL
            SELECT d.child FROM batch b JOIN task_deps d ON d.parent = b.id WHERE b.type = 'task.done') w
        CROSS JOIN LATERAL (SELECT * FROM tasks k WHERE k.id = w.id OFFSET 0) t
        WHERE t.status = 'ready' AND t.waiting_on = 0 ORDER BY t.priority, t.position LIMIT 1);
BEGIN
    PERFORM log.notify('elruso', '*' || coalesce(first_key, ''));
    RETURN NULL;
END $$;

CREATE OR REPLACE PROCEDURE log.create_and_tell(id text, actor text, command_id uuid, data json, priority integer, channel text, INOUT seq bigint,
                                     INOUT at json DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    brings CONSTANT text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_tell.id, 1, brings, create_and_tell.actor, create_and_tell.data, create_and_tell.command_id)
    RETURNING e.seq, to_json(log.rfc3339(e.at)) INTO create_and_tell.seq, create_and_tell.at;
    COMMIT;
    PERFORM log.notify(channel, 'r:' || priority || ':' || create_and_tell.seq || ',e:' || create_and_tell.seq);
END $$;

CREATE OR REPLACE TRIGGER append_9_wake AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch FOR EACH STATEMENT
    WHEN (current_setting('elruso.managed', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION log.wake_foreign();
