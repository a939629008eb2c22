-- The system: is work handed out?

-- name: show_system
-- A system that was never paused has no row: it is active.
SELECT json_build_object('status', coalesce(s.status, 'active'), 'paused', coalesce(s.status, '') = 'paused', 'reason', s.reason,
                         'changed_at', log.rfc3339(s.changed_at), 'changed_by', s.changed_by)::text
FROM (SELECT 'main' AS id) main LEFT JOIN view.system s ON s.id = main.id;

-- name: show_state
-- Which transactions are visible, and of which server: where both are equal, so is all that can be seen.
SELECT pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()::text;
