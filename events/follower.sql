-- What the follower asks when a seq is missing.

-- name: probe_gap
-- holders: the open transactions that may have drawn a seq and not shown it yet, i.e. those that hold the lock which
-- every INSERT into the log takes before it draws. Of those in $1 only, unless it is null. A prepared transaction has
-- no process and changed its name when it was prepared, so it always counts.
-- filled: can the event $2 be seen by now?
SELECT ARRAY(
    SELECT l.virtualtransaction || ':' || coalesce(l.pid, 0) FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = 'log.events'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND ($1::text[] IS NULL OR l.pid IS NULL OR l.virtualtransaction || ':' || l.pid = ANY ($1))
) AS holders, EXISTS (SELECT FROM log.events e WHERE e.seq = $2) AS filled;
