-- The log as a story: events newest first, each with its facts cut to what fits on a line.

-- name: list_latest
-- $1 before this seq, $2 window, $3 kind or null, $4 type or null, $5 actor or null, $6 leave heartbeats out, $7 limit
SELECT e.seq, e.kind, e.id, e.version, e.type, e.actor, e.at, e.cause, f.facts
FROM (SELECT * FROM (SELECT * FROM log.events WHERE seq < $1 ORDER BY seq DESC LIMIT $2) w
      WHERE ($3::text IS NULL OR w.kind = $3) AND ($4::text IS NULL OR w.type = $4) AND ($5::text IS NULL OR w.actor = $5)
        AND (NOT $6::boolean OR w.type <> 'runner.heartbeat')
      ORDER BY w.seq DESC LIMIT $7) e
CROSS JOIN LATERAL (SELECT json_object_agg(k.key, left(k.value, 300))::text AS facts FROM json_each_text(e.data) k) f
ORDER BY e.seq DESC;

-- name: list_seldom
-- Of types that happen seldom. $1 before this seq, $2 types, $3 limit
SELECT e.seq, e.kind, e.id, e.version, e.type, e.actor, e.at, e.cause, f.facts
FROM (SELECT k.* FROM unnest($2::text[]) AS t (type) CROSS JOIN LATERAL (
          SELECT * FROM log.events k WHERE k.type = t.type AND k.type <> ALL ('{task.created,task.claimed,task.started,task.step,task.done,runner.heartbeat}')
            AND k.seq < $1 ORDER BY k.seq DESC LIMIT $3) k
      ORDER BY k.seq DESC LIMIT $3) e
CROSS JOIN LATERAL (SELECT json_object_agg(k.key, left(k.value, 300))::text AS facts FROM json_each_text(e.data) k) f
ORDER BY e.seq DESC;

-- name: last_of_latest
-- Where the window of list_latest ends, if the log goes on there. $1 before this seq, $2 window
SELECT seq FROM log.events WHERE seq < $1 ORDER BY seq DESC OFFSET $2::bigint - 1 LIMIT 1;

-- name: list_stream
-- One stream. $1 kind, $2 id, $3 before this version, $4 limit
SELECT e.seq, e.kind, e.id, e.version, e.type, e.actor, e.at, e.cause, f.facts
FROM (SELECT * FROM log.events WHERE kind = $1 AND id = $2 AND version < $3 ORDER BY version DESC LIMIT $4) e
CROSS JOIN LATERAL (SELECT json_object_agg(k.key, left(k.value, 300))::text AS facts FROM json_each_text(e.data) k) f
ORDER BY e.version DESC;

-- name: list_effects
-- What an event led to. Effects are written with it or soon after, so they are looked for in the $2 seqs behind it; and
-- later ones in its own stream. $3 limit, $4 kind, $5 id, $6 version
SELECT e.seq, e.kind, e.id, e.version, e.type, e.actor, e.at, e.cause, f.facts
FROM ((SELECT * FROM log.events WHERE seq > $1 AND seq <= $1 + $2::bigint AND cause = $1 ORDER BY seq LIMIT $3)
      UNION ALL
      (SELECT * FROM (SELECT * FROM log.events WHERE kind = $4 AND id = $5 AND version > $6 ORDER BY version LIMIT 200) own
       WHERE own.cause = $1 AND own.seq > $1 + $2::bigint)) e
CROSS JOIN LATERAL (SELECT json_object_agg(k.key, left(k.value, 300))::text AS facts FROM json_each_text(e.data) k) f
ORDER BY e.seq;

-- name: find_event
-- One event with its data, cut. $1 seq, $2 characters
SELECT e.seq, e.kind, e.id, e.version, e.type, e.actor, e.at, e.cause, f.facts, left(e.data::text, $2) AS data,
       length(e.data::text) AS characters, e.command_id::text AS command_id
FROM log.events e
CROSS JOIN LATERAL (SELECT json_object_agg(k.key, left(k.value, 300))::text AS facts FROM json_each_text(e.data) k) f
WHERE e.seq = $1;
