-- Waking others.

-- name: send_hint
-- A statement of its own on a connection that writes nothing else: its commit waits for no disk and no replica.
-- False: the server's queue of notifications is full, and nothing was sent. $1 channel, $2 payload
SELECT log.notify($1, $2);
