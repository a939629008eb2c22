-- The panel's sessions, tokens that expire, and the announcement of both ends.
ALTER TABLE log.tokens ADD COLUMN expires_at timestamptz;

-- Sessions of the panel: only the SHA-256 of the id in the cookie is kept (docs/adr/0021). A session is valid while its
-- row exists, the token with the digest `token` is valid, and `expires_at` has not passed.
CREATE TABLE log.sessions (
    digest       bytea PRIMARY KEY,
    token        bytea NOT NULL,
    audience     text NOT NULL,                    -- the Host header of the sign-in: host and port
    created_at   timestamptz NOT NULL DEFAULT log.now(),
    last_used_at timestamptz NOT NULL DEFAULT log.now(),
    expires_at   timestamptz NOT NULL
);

-- A token or session that ends is announced in the transaction that ends it, whoever does: the API processes then end its
-- open streams and waiting claims. Both are rare, so a NOTIFY that serialises their commits costs nothing.
CREATE FUNCTION log.announce_credentials() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('elruso', 't');
    RETURN NULL;
END $$;
CREATE TRIGGER tokens_are_announced AFTER INSERT OR UPDATE OR DELETE ON log.tokens
    FOR EACH STATEMENT EXECUTE FUNCTION log.announce_credentials();
CREATE TRIGGER sessions_are_announced AFTER DELETE ON log.sessions
    FOR EACH STATEMENT EXECUTE FUNCTION log.announce_credentials();

DO $$ BEGIN
    IF to_regrole('elruso_service') IS NOT NULL THEN
        GRANT SELECT, INSERT, DELETE, UPDATE (last_used_at) ON log.sessions TO elruso_service;
    END IF;
END $$;
