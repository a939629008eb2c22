-- Which token a runner id belongs to. A row is never changed, so what was read once stays true.

-- name: bind_runner_id
-- Binds an id that nobody has used yet to a token; answers with its owner. No row: it was used without a token, or is being
-- bound at this moment. $1 runner, $2 token
WITH bound AS (
    INSERT INTO log.runner_ids (runner, token)
    SELECT $1, $2
    WHERE NOT EXISTS (SELECT FROM view.runners r WHERE r.id = $1) AND NOT EXISTS (SELECT FROM view.running g WHERE g.runner = $1)
    ON CONFLICT DO NOTHING
    RETURNING token
)
SELECT token FROM bound
UNION ALL
SELECT i.token FROM log.runner_ids i WHERE i.runner = $1;

-- name: find_runner_id
-- $1 runner
SELECT i.token FROM log.runner_ids i WHERE i.runner = $1;
