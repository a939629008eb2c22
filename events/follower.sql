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

-- name: begin_now
-- Where one begins who wants what happens from now on. last: the highest seq that can be seen; missing: seqs below it that
-- cannot, of the last $1: whoever drew them gave up, or has not committed yet.
WITH bounds AS (SELECT coalesce(max(e.seq), 0) AS last, greatest(coalesce(max(e.seq), 0) - $1::bigint, 0) AS first FROM log.events e),
seen AS (
    SELECT e.seq, lag(e.seq, 1, b.first) OVER (ORDER BY e.seq) AS before FROM bounds b JOIN log.events e ON e.seq > b.first
)
SELECT b.last, ARRAY(SELECT m.seq FROM seen g CROSS JOIN LATERAL generate_series(g.before + 1, g.seq - 1) AS m (seq) ORDER BY 1) AS missing
FROM bounds b;

-- name: read_seqs
-- The events $1, as far as they can be seen.
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id FROM log.events WHERE seq = ANY ($1::bigint[]) ORDER BY seq;
