-- The log itself: read it, append to it.

-- name: read_log
-- $1 after this seq, $2 limit
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM log.events WHERE seq > $1 ORDER BY seq LIMIT $2;

-- name: read_log_of_kind
-- $1 after this seq, $2 limit, $3 kind
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM log.events WHERE seq > $1 AND kind = $3 ORDER BY seq LIMIT $2;

-- name: read_log_of_stream
-- $1 after this seq, $2 limit, $3 kinds, $4 id
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM log.events WHERE seq > $1 AND kind = ANY ($3::text[]) AND id = $4 ORDER BY seq LIMIT $2;

-- name: read_stream
-- $1 kind, $2 id, $3 after this version, $4 limit
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM log.events WHERE kind = $1 AND id = $2 AND version > $3 ORDER BY version LIMIT $4;

-- name: read_commands
-- What was written for these command ids. $1 command ids
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM log.events WHERE command_id = ANY ($1::uuid[]);

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM log.events;

-- name: append_events
-- Appends events that name their version, in the order given. One whose command is in the log already is left out.
-- $1 kinds, $2 ids, $3 versions, $4 types, $5 data, $6 actors, $7 causes, $8 command ids
INSERT INTO log.events (kind, id, version, type, data, actor, cause, command_id)
SELECT n.kind, n.id, n.version, n.type, n.data, n.actor, n.cause, n.command_id
FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::json[], $6::text[], $7::bigint[], $8::uuid[])
    WITH ORDINALITY AS n (kind, id, version, type, data, actor, cause, command_id, place)
WHERE n.command_id IS NULL OR NOT EXISTS (SELECT FROM log.events e WHERE e.command_id = n.command_id)
ORDER BY n.place
RETURNING seq, kind, id, version, type, data, actor, at, cause, command_id;
