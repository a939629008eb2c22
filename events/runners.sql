-- The commands about runners. They read the current version and append the next in one statement, as those of
-- commands.sql do.

-- name: turn_runner
-- Has a runner drain, or lets it go on; appends nothing when it is so already. $1 runner, $2 type, $3 data, $4 actor
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'runner', r.id, r.version + 1, m.type, $4, $3::json
FROM view.runners r JOIN log.transitions m ON m.type = $2 AND r.status = ANY (m.sources)
WHERE r.id = $1 AND (r.draining_since IS NULL) = (m.type = 'runner.draining')
RETURNING seq;

-- name: runner_state
-- What a refused command must know to say why. $1 runner
SELECT r.status, r.draining_since IS NOT NULL AS draining FROM view.runners r WHERE r.id = $1;

-- name: register_runner
-- A runner over PostgreSQL takes its id. Answers with the token that the id belongs to, if it belongs to one. $1 runner
WITH taken AS (
    INSERT INTO log.runner_ids (runner) VALUES ($1) ON CONFLICT DO NOTHING
)
SELECT i.token FROM log.runner_ids i WHERE i.runner = $1 AND i.token IS NOT NULL;
