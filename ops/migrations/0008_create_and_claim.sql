-- A task that a runner waits for is created and claimed at once. A process of before does not ask for that.
-- One task that waits for nothing, handed to a runner that waits: created and claimed in one transaction, so both are safe
-- on disk after one flush, and nobody else can have seen it in between. It is handed over if a claim would find it first:
-- nothing that is ready from the key on comes before it, nothing is paused, the runner (JSON text) does not drain, and, if
-- it `insists`, no scheduled task fell due. Else it is created only, and run_id is null; whoever called tells the runners.
CREATE FUNCTION log.create_and_claim(id text, actor text, command_id uuid, data json, priority integer, runner text, claimant text,
                                     from_priority integer, from_position bigint, insists boolean,
                                     OUT seq bigint, OUT at json, OUT run_id bigint, OUT claimed_at json)
LANGUAGE plpgsql AS $$
DECLARE
    brings text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_claim.id, 1, brings, create_and_claim.actor, create_and_claim.data, create_and_claim.command_id)
    RETURNING e.seq, to_json(e.at) INTO create_and_claim.seq, create_and_claim.at;
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
    RETURNING e.seq, to_json(e.at) INTO create_and_claim.run_id, create_and_claim.claimed_at;
END $$;
