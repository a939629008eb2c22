-- A task that is created alone is answered with its time. A process of before leaves the last argument out, and works on.
DROP PROCEDURE log.create_and_tell;
-- One task without parents, and the word to the runners, in one round trip. The word leaves once the task is safe on
-- disk, in a transaction of its own: it writes nothing, so its commit waits for no disk and no replica. With seq and time
-- the caller knows all that the view has of a new task; the time is written as there.
CREATE PROCEDURE log.create_and_tell(id text, actor text, command_id uuid, data json, priority integer, channel text, INOUT seq bigint,
                                     INOUT at json DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    brings CONSTANT text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_tell.id, 1, brings, create_and_tell.actor, create_and_tell.data, create_and_tell.command_id)
    RETURNING e.seq, to_json(e.at) INTO create_and_tell.seq, create_and_tell.at;
    COMMIT;
    PERFORM pg_notify(channel, 'r:' || priority || ':' || create_and_tell.seq || ',e:' || create_and_tell.seq);
END $$;
