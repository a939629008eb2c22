-- What runs printed, and the patches they made.

-- name: list_output
-- $1 run, $2 step or null, $3 after this chunk, $4 limit
SELECT o.chunk, row_to_json(piece)::text AS data
FROM log.output o
CROSS JOIN LATERAL (SELECT o.chunk AS number, o.step, o.stream, o.at, o.data) piece
WHERE o.run_id = $1 AND o.chunk > $3 AND ($2::integer IS NULL OR o.step = $2)
ORDER BY o.chunk LIMIT $4;

-- name: find_artifact
-- $1 run, $2 kind
SELECT content FROM log.artifacts WHERE run_id = $1 AND kind = $2;
