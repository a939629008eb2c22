-- Backing a database up, and restoring it.

-- name: is_empty
-- Whether nothing of ours is there.
SELECT to_regnamespace('log') IS NULL;

-- name: server_version
SELECT current_setting('server_version_num')::integer;

-- name: make_service_role
-- The role that a backup grants to, as in schema.sql; where roles may not be created it is not granted to.
DO $$ BEGIN
    CREATE ROLE elruso_service NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END $$;

-- name: has_service_role
SELECT to_regrole('elruso_service') IS NOT NULL;

-- name: move_on
-- The next event gets a position that the lost part of the log cannot have used.
SELECT setval(pg_get_serial_sequence('log.events', 'seq'), (SELECT coalesce(max(seq), 0) FROM log.events) + 1000000);
