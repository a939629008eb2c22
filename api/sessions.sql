-- Sessions of the panel. Only the SHA-256 of the id in the cookie is stored.

-- name: open_session
-- Begins a session, and removes those that have expired. $1 digest of its id, $2 digest of the token, $3 host and port, $4 how long it is valid
WITH expired AS (
    DELETE FROM log.sessions WHERE expires_at <= log.now()
)
INSERT INTO log.sessions (digest, token, audience, expires_at) VALUES ($1, $2, $3, log.now() + $4::interval);

-- name: list_sessions
-- Those of the sessions $1 that have not ended, nor expired.
SELECT s.digest, s.token, s.audience, s.last_used_at, s.expires_at FROM log.sessions s WHERE s.digest = ANY ($1::bytea[]) AND s.expires_at > log.now();

-- name: use_session
-- Notes that a session is used; once a minute is enough. $1 digest
UPDATE log.sessions SET last_used_at = log.now() WHERE digest = $1 AND last_used_at < log.now() - interval '1 minute';

-- name: end_session
-- $1 digest
DELETE FROM log.sessions WHERE digest = $1;
