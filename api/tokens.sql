-- Bearer tokens. Only the SHA-256 of a token is stored; rows are never deleted, so that a name in the log stays known.

-- name: create_token
-- Takes a free name, or one whose token was revoked or has expired. $1 name, $2 role, $3 digest, $4 interval until it expires, or null
INSERT INTO log.tokens AS t (name, role, digest, expires_at) VALUES ($1, $2, $3, log.now() + $4::interval)
ON CONFLICT (name) DO UPDATE SET role = excluded.role, digest = excluded.digest, created_at = log.now(), revoked_at = NULL, expires_at = excluded.expires_at
WHERE t.revoked_at IS NOT NULL OR t.expires_at <= log.now()
RETURNING name;

-- name: revoke_token
-- $1 name
UPDATE log.tokens SET revoked_at = log.now() WHERE name = $1 AND revoked_at IS NULL RETURNING name;

-- name: list_tokens
SELECT name, role, digest, created_at, revoked_at, expires_at FROM log.tokens ORDER BY created_at, name;
