-- A database that the API answers from.

-- name: fill
-- Tasks numbered from $1 to $2, ready, as a planner would make them.
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'task', 'task-' || n, 1, 'task.created', 'gpt',
       json_build_object('title', 'Add the missing index to table ' || n, 'body', repeat('What is to be done, and why. ', 4),
                         'task_type', 'python', 'priority', 100, 'phase', 'p' || n % 7,
                         'params', json_build_object('handler', 'noop', 'i', n),
                         'steps', json_build_array(json_build_object('name', 'check', 'cmd', 'true')))
FROM generate_series($1::bigint, $2::bigint) AS n;
