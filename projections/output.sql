-- What runs printed, and the patches they made.

-- name: list_output
-- $1 run, $2 step or null, $3 after this chunk, $4 limit, $5 bytes: the first chunk that exceeds them is the last one
SELECT c.chunk, row_to_json(piece)::text AS data, c.following
FROM (SELECT w.*, lead(w.chunk) OVER (ORDER BY w.chunk) AS following,
             sum(octet_length(w.data)) OVER (ORDER BY w.chunk) - octet_length(w.data) AS ahead
      FROM (SELECT * FROM log.output o WHERE o.run_id = $1 AND o.chunk > $3 AND ($2::integer IS NULL OR o.step = $2)
            ORDER BY o.chunk LIMIT $4) w) c
CROSS JOIN LATERAL (SELECT c.chunk AS number, c.step, c.stream, log.rfc3339(c.at) AS at, c.data) piece
WHERE c.ahead < $5::bigint ORDER BY c.chunk;

-- name: find_artifact
-- $1 run, $2 kind
SELECT content, before_sha, after_sha, late FROM log.artifacts WHERE run_id = $1 AND kind = $2;

-- name: tail_output
-- The newest pieces, oldest first, as many as fit into $2 characters (of one piece at most as many), of the newest $3.
-- `first`: there are none before these. $1 run
SELECT p.chunk, p.step, p.stream, left(p.data, $2::integer) AS data,
       p.chunk = (SELECT min(o.chunk) FROM log.output o WHERE o.run_id = $1) AS first
FROM (SELECT o.chunk, o.step, o.stream, o.data, sum(length(o.data)) OVER (ORDER BY o.chunk DESC) - length(o.data) AS behind
      FROM (SELECT * FROM log.output WHERE run_id = $1 ORDER BY chunk DESC LIMIT $3) o) p
WHERE p.behind < $2::integer ORDER BY p.chunk;

-- name: next_output
-- The pieces after the piece $2, as many as fit into $3 characters, of the next $4. $1 run
SELECT p.chunk, p.step, p.stream, left(p.data, $3::integer) AS data
FROM (SELECT o.chunk, o.step, o.stream, o.data, sum(length(o.data)) OVER (ORDER BY o.chunk) - length(o.data) AS ahead
      FROM (SELECT * FROM log.output WHERE run_id = $1 AND chunk > $2 ORDER BY chunk LIMIT $4) o) p
WHERE p.ahead < $3::integer ORDER BY p.chunk;

-- name: cut_artifact
-- A part of an artifact, and how long all of it is. $1 run, $2 kind, $3 behind so many characters, $4 characters
SELECT substr(content, $3::integer + 1, $4::integer) AS content, length(content) AS characters, late FROM log.artifacts WHERE run_id = $1 AND kind = $2;

-- name: find_file_in_patch
-- How many characters of a patch stand before the first file that begins behind the character $2; null: none does. $1 run
SELECT $2::integer + nullif(strpos(substr(content, $2::integer + 1), E'\ndiff --git '), 0) FROM log.artifacts WHERE run_id = $1 AND kind = 'patch';
