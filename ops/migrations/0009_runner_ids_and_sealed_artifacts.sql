-- A runner's id belongs to its token, and the end of a run seals its artifacts. A process of before that is not the owner
-- stores no artifacts from now on.
ALTER TABLE log.artifacts ADD COLUMN sha256 bytea;  -- of the content in UTF-8; null: stored before ends sealed artifacts

-- Which token a runner id belongs to; it never changes. A null token: a runner over PostgreSQL (docs/adr/0020).
CREATE TABLE log.runner_ids (
    runner   text COLLATE "C" PRIMARY KEY,
    token    text REFERENCES log.tokens (name),
    bound_at timestamptz NOT NULL DEFAULT log.now()
);

-- Ids that are known belong to the token that spoke for them last, as the actors of their events say.
DO $$ BEGIN
    IF to_regclass('view.runners') IS NOT NULL AND to_regclass('view.running') IS NOT NULL THEN
        INSERT INTO log.runner_ids (runner, token)
        SELECT r.id, t.name
        FROM view.runners r CROSS JOIN LATERAL (
            SELECT e.actor FROM log.events e WHERE e.id = r.id AND e.kind = 'runner' AND e.type = ANY ('{runner.started,runner.heartbeat,runner.stopped}')
            ORDER BY e.version DESC LIMIT 1) e
        JOIN log.tokens t ON e.actor = 'runner:' || t.name AND t.role = 'runner'
        ON CONFLICT DO NOTHING;
        INSERT INTO log.runner_ids (runner, token)
        SELECT g.runner, t.name FROM view.running g JOIN log.events e ON e.seq = g.run_id JOIN log.tokens t ON e.actor = 'runner:' || t.name AND t.role = 'runner'
        WHERE NOT EXISTS (SELECT FROM view.runners r WHERE r.id = g.runner)
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Stores an artifact of a run in flight, once: the event that ends the run carries its digest. The lock on the run's row
-- waits for an end under way, and an end waits for it, so nothing is stored after the end. Answers
--
--     stored   it is there, now or from before with the same content
--     taken    the run has another content of this kind
--     ended    the run takes no more artifacts
--     unknown  there is no such run
CREATE FUNCTION log.store_artifact(run bigint, artifact_kind text, artifact text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = log, pg_temp AS $$
DECLARE
    digest CONSTANT bytea := sha256(convert_to(artifact, 'UTF8'));
    in_flight boolean;
    known     bytea;
BEGIN
    PERFORM FROM view.running g WHERE g.run_id = run FOR KEY SHARE;
    in_flight := FOUND;
    IF in_flight THEN
        INSERT INTO artifacts (run_id, kind, content, sha256) VALUES (run, artifact_kind, artifact, digest) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN 'stored';
        END IF;
    END IF;
    SELECT coalesce(a.sha256, sha256(convert_to(a.content, 'UTF8'))) INTO known FROM artifacts a WHERE a.run_id = run AND a.kind = artifact_kind;
    RETURN CASE WHEN known = digest THEN 'stored' WHEN in_flight THEN 'taken'
                WHEN EXISTS (SELECT FROM view.ended_runs e WHERE e.id = run) THEN 'ended' ELSE 'unknown' END;
END $$;

-- The data of an event that ends a run, with the digests of the artifacts stored for it (events/task.py, Artifact).
CREATE FUNCTION log.seal_artifacts(data json, run bigint) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce((left(rtrim(data::text), -1) || ',"artifacts":' || json_agg(
               json_build_object('kind', a.kind, 'sha256', encode(coalesce(a.sha256, sha256(convert_to(a.content, 'UTF8'))), 'hex'),
                                 'size_bytes', octet_length(a.content)) ORDER BY a.kind)::text || '}')::json, data)
    FROM log.artifacts a WHERE a.run_id = run
$$;

DO $$ BEGIN
    IF to_regrole('elruso_service') IS NOT NULL THEN
        REVOKE INSERT, UPDATE ON log.artifacts FROM elruso_service;
        REVOKE UPDATE (content) ON log.artifacts FROM elruso_service;
        GRANT SELECT, INSERT ON log.runner_ids TO elruso_service;
    END IF;
END $$;
