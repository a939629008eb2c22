-- Times in answers: UTC with milliseconds and Z. Those that creations answer, too.
-- A time as answers show it, 2026-02-13T10:00:00.123Z: three digits of a second, as in JavaScript. The log keeps microseconds.
CREATE FUNCTION log.rfc3339(moment timestamptz) RETURNS text LANGUAGE sql STABLE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

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
    PERFORM pg_notify(channel, 'r:' || priority || ':' || create_and_tell.seq || ',e:' || create_and_tell.seq);
END $$;

CREATE OR REPLACE FUNCTION log.create_and_claim(id text, actor text, command_id uuid, data json, priority integer, runner text, claimant text,
                                     from_priority integer, from_position bigint, insists boolean,
                                     OUT seq bigint, OUT at json, OUT run_id bigint, OUT claimed_at json)
LANGUAGE plpgsql AS $$
DECLARE
    brings text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_claim.id, 1, brings, create_and_claim.actor, create_and_claim.data, create_and_claim.command_id)
    RETURNING e.seq, to_json(log.rfc3339(e.at)) INTO create_and_claim.seq, create_and_claim.at;
    IF EXISTS (SELECT FROM view.ready r WHERE (r.priority, r.position) >= (from_priority, from_position)
               AND (r.priority, r.position) < (create_and_claim.priority, create_and_claim.seq))
       OR EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
       OR EXISTS (SELECT FROM view.runners d WHERE d.id = runner::json #>> '{}' AND d.draining_since IS NOT NULL)
       OR insists AND EXISTS (SELECT FROM view.scheduled f WHERE f.due_at <= log.now()) THEN
        RETURN;
    END IF;
    brings := set_config('elruso.brings', 'task.claimed', true);
    INSERT INTO log.events AS e (kind, id, version, type, actor, cause, data)
    VALUES ('task', create_and_claim.id, 2, brings, claimant, create_and_claim.seq, ('{"runner":' || runner || ',"attempt":1}')::json)
    RETURNING e.seq, to_json(log.rfc3339(e.at)) INTO create_and_claim.run_id, create_and_claim.claimed_at;
END $$;
