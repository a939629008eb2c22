-- Waking others.

-- name: send_hint
-- A statement of its own on a connection that writes nothing else: its commit waits for no disk and no replica.
-- $1 channel, $2 payload
SELECT pg_notify($1, $2);
