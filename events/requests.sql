-- The commands about requests. They read the current version and append the next in one statement, as those of
-- commands.sql do.

-- name: open_requests
-- Opens the requests that are unknown or withdrawn, or whose definition is given and another one than is known.
-- $1 ids, $2 definitions (null: none), $3 reasons (null: none), $4 actor, $5 also those that are provided?
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'request', w.id, coalesce(r.version, 0) + 1, 'request.opened', $4,
       json_strip_nulls(json_build_object('definition', w.definition, 'reason', w.reason))
FROM unnest($1::text[], $2::json[], $3::text[]) AS w (id, definition, reason)
LEFT JOIN view.requests r ON r.id = w.id
WHERE r.id IS NULL OR r.status = 'WITHDRAWN' OR ($5::boolean AND r.status = 'PROVIDED')
   OR (w.definition IS NOT NULL AND w.definition::jsonb IS DISTINCT FROM r.definition::jsonb)
ORDER BY w.id
RETURNING id, seq;

-- name: change_request
-- Provides or withdraws a request; one that is unknown is opened in the same statement, if a definition is given.
-- $1 id, $2 type, $3 data, $4 actor, $5 also when it is so already?, $6 definition or null
WITH known AS (
    SELECT r.version, r.status FROM view.requests r WHERE r.id = $1
    UNION ALL
    SELECT 1, 'WAITING' WHERE $6::json IS NOT NULL AND NOT EXISTS (SELECT FROM view.requests r WHERE r.id = $1)
), next AS (
    SELECT k.version, m.type
    FROM known k JOIN log.transitions m ON m.type = $2 AND k.status = ANY (m.sources) AND ($5::boolean OR k.status <> m.target)
)
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'request', $1, e.version, e.type, $4, e.data
FROM (
    SELECT n.version + 1 AS version, n.type, $3::json AS data FROM next n
    UNION ALL
    SELECT 1, 'request.opened', json_build_object('definition', $6::json) FROM next n
    WHERE NOT EXISTS (SELECT FROM view.requests r WHERE r.id = $1)
) e
ORDER BY e.version
RETURNING seq, type = 'request.provided' AND EXISTS (  -- a directive may have waited for it, and have its tasks now
    SELECT FROM view.directives d WHERE d.status = 'PENDING' AND $1 = ANY (d.required)) AS frees;

-- name: request_state
-- What a refused command must know to say why. $1 id
SELECT r.status FROM view.requests r WHERE r.id = $1;
