-- The log itself: read it, append to it.

-- name: read_log
-- $1 after this seq, $2 limit, $3 bytes of data: the first event that exceeds them is the last one
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM (SELECT w.*, sum(octet_length(w.data::text)) OVER (ORDER BY w.seq) - octet_length(w.data::text) AS ahead
      FROM (SELECT * FROM log.events WHERE seq > $1 ORDER BY seq LIMIT $2) w) e
WHERE e.ahead < $3::bigint ORDER BY seq;

-- name: read_log_of_kind
-- Looks at $5 events at most. $1 after this seq, $2 limit, $3 bytes as in read_log, $4 kind
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM (SELECT w.*, sum(octet_length(w.data::text)) OVER (ORDER BY w.seq) - octet_length(w.data::text) AS ahead
      FROM (SELECT * FROM log.events WHERE seq > $1 ORDER BY seq LIMIT $5) w WHERE kind = $4) e
WHERE e.ahead < $3::bigint ORDER BY seq LIMIT $2;

-- name: last_of_log
-- Where the window of read_log_of_kind ends, if the log goes on there. $1 after this seq, $2 window
SELECT seq FROM log.events WHERE seq > $1 ORDER BY seq OFFSET $2::bigint - 1 LIMIT 1;

-- name: read_log_of_types
-- Of low-volume types. $1 after this seq, $2 limit, $3 bytes as in read_log, $4 types
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM (SELECT e.*, sum(octet_length(e.data::text)) OVER (ORDER BY e.seq) - octet_length(e.data::text) AS ahead
      FROM unnest($4::text[]) AS t (type)
      CROSS JOIN LATERAL (
          SELECT * FROM log.events k WHERE k.type = t.type AND k.type <> ALL ('{task.created,task.claimed,task.started,task.step,task.done,runner.heartbeat}')
            AND k.seq > $1 ORDER BY k.seq LIMIT $2) e) c
WHERE c.ahead < $3::bigint ORDER BY seq LIMIT $2;

-- name: read_log_of_stream
-- The streams called $5, of the kinds $4. In a stream seqs grow with versions, which have no gaps: so the first event
-- behind the seq $1 is found by halving. $2 limit, $3 bytes as in read_log
WITH RECURSIVE search AS (
    SELECT k.kind, 0 AS low, (SELECT max(e.version) FROM log.events e WHERE e.id = $5 AND e.kind = k.kind) AS high
    FROM unnest($4::text[]) AS k (kind)
  UNION ALL
    SELECT s.kind, CASE WHEN e.seq <= $1 THEN e.version ELSE s.low END, CASE WHEN e.seq <= $1 THEN s.high ELSE e.version - 1 END
    FROM search s CROSS JOIN LATERAL (
        SELECT k.seq, k.version FROM log.events k WHERE k.id = $5 AND k.kind = s.kind AND k.version = (s.low + s.high + 1) / 2 OFFSET 0) e
    WHERE s.low < s.high
)
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id
FROM (SELECT e.*, sum(octet_length(e.data::text)) OVER (ORDER BY e.seq) - octet_length(e.data::text) AS ahead
      FROM search s CROSS JOIN LATERAL (
          SELECT * FROM log.events k WHERE k.id = $5 AND k.kind = s.kind AND k.version > s.low ORDER BY k.version LIMIT $2) e
      WHERE s.low = s.high) c
WHERE c.ahead < $3::bigint ORDER BY seq LIMIT $2;

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
