-- Waits for locks: how long a session of ours waits, and which sessions keep it waiting.

-- name: limit_lock_waits
-- $1 milliseconds, as text; for the session
SELECT set_config('lock_timeout', $1, false);

-- name: lock_holders
-- The sessions that keep $1 (a process id) waiting; times in seconds.
SELECT a.pid, a.usename, a.application_name, a.state, left(a.query, 200) AS query,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds
FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids($1))
ORDER BY a.xact_start LIMIT 3;
