-- The tasks around a task, by what waits for what.

-- name: list_parents_of
-- $1 ids, $2 limit
SELECT d.parent, d.child FROM view.task_deps d WHERE d.child = ANY ($1::text[]) ORDER BY d.child, d.parent LIMIT $2;

-- name: list_children_of
-- $1 ids, $2 limit
SELECT d.parent, d.child FROM view.task_deps d WHERE d.parent = ANY ($1::text[]) ORDER BY d.parent, d.child LIMIT $2;
