-- What the server has counted so far; it is counted per database, WAL for the whole server.

-- name: counted
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal_bytes, d.xact_commit AS commits, d.blks_hit + d.blks_read AS buffers,
       (SELECT coalesce(sum(n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables) AS dead_tuples,
       (SELECT coalesce(sum(n_tup_upd - n_tup_hot_upd), 0) FROM pg_stat_user_tables) AS cold_updates
FROM pg_stat_database d WHERE d.datname = current_database();
