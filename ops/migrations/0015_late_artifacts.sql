-- Artifacts that come after the end of their run are taken for a while, and marked.
ALTER TABLE log.artifacts ADD COLUMN late boolean NOT NULL DEFAULT false;

-- Stores an artifact of a run in flight, once: the event that ends the run carries its digest. The lock on the run's row
-- waits for an end under way, and an end waits for it, so what the end seals is what was stored before it. A runner of the
-- first El Ruso stores after the end: for a quarter of an hour that is taken, where the run has none of this kind, and
-- marked as late (docs/adr/0032). Answers
--
--     stored   it is there, now or from before with the same content
--     late     the same, but it came after the end
--     taken    the run has another content of this kind
--     ended    the run takes no more artifacts
--     unknown  there is no such run
CREATE OR REPLACE FUNCTION log.store_artifact(run bigint, artifact_kind text, artifact text, before_commit text DEFAULT NULL, after_commit text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = log, pg_temp AS $$
DECLARE
    digest CONSTANT bytea := sha256(convert_to(artifact, 'UTF8'));
    in_flight boolean;
    known     bytea;
    is_late   boolean;
BEGIN
    PERFORM FROM view.running g WHERE g.run_id = run FOR KEY SHARE;
    in_flight := FOUND;
    IF in_flight THEN
        INSERT INTO artifacts (run_id, kind, content, sha256, before_sha, after_sha)
        VALUES (run, artifact_kind, artifact, digest, before_commit, after_commit) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN 'stored';
        END IF;
    ELSIF EXISTS (SELECT FROM view.ended_runs e WHERE e.id = run AND e.status IN ('done', 'failed') AND e.finished_at > log.now() - interval '15 minutes') THEN
        INSERT INTO artifacts (run_id, kind, content, sha256, before_sha, after_sha, late)
        VALUES (run, artifact_kind, artifact, digest, before_commit, after_commit, true) ON CONFLICT DO NOTHING;
    END IF;
    SELECT coalesce(a.sha256, sha256(convert_to(a.content, 'UTF8'))), a.late INTO known, is_late
    FROM artifacts a WHERE a.run_id = run AND a.kind = artifact_kind;
    RETURN CASE WHEN known = digest AND is_late THEN 'late' WHEN known = digest THEN 'stored' WHEN in_flight THEN 'taken'
                WHEN EXISTS (SELECT FROM view.ended_runs e WHERE e.id = run) THEN 'ended' ELSE 'unknown' END;
END $$;
