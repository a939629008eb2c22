-- What keeps PostgreSQL from cleaning up. Of sessions of other roles only a member of pg_read_all_stats sees anything.

-- name: list_holders
-- Transactions of this database that have been open for longer than $1 seconds and keep dead rows, the oldest first. VACUUM
-- and the like keep nothing; what was prepared for a two-phase commit and forgotten has no session.
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, '?') AS name, coalesce(a.state, '?') = 'idle in transaction' AS is_idle,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend' AND a.datname = current_database()
  AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
  AND a.query !~* '^\s*(auto)?vacuum' AND a.xact_start < clock_timestamp() - $1::float8 * interval '1 second'
UNION ALL
SELECT NULL, p.gid, true, extract(epoch FROM clock_timestamp() - p.prepared)::float8
FROM pg_prepared_xacts p
WHERE p.database = current_database() AND p.prepared < clock_timestamp() - $1::float8 * interval '1 second'
ORDER BY seconds DESC LIMIT 20;
