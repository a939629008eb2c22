-- The system: is work handed out?

-- name: show_system
-- A system that was never paused has no row: it is active.
SELECT json_build_object('status', coalesce(s.status, 'active'), 'paused', coalesce(s.status, '') = 'paused', 'reason', s.reason,
                         'changed_at', s.changed_at, 'changed_by', s.changed_by)::text
FROM (SELECT 'main' AS id) main LEFT JOIN view.system s ON s.id = main.id;
