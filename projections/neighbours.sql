-- The tasks around a task, by what waits for what.

-- name: list_parents_of
-- $1 ids, $2 limit; of the parents of one id as many at most, whichever are found first
SELECT d.parent, d.child
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (SELECT k.parent, k.child FROM view.task_deps k WHERE k.child = wanted.id LIMIT $2) d
ORDER BY wanted.place, d.parent LIMIT $2;

-- name: list_children_of
-- $1 ids, $2 limit; of the children of one id as many at most, the first by name
SELECT d.parent, d.child
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
CROSS JOIN LATERAL (SELECT k.parent, k.child FROM view.task_deps k WHERE k.parent = wanted.id ORDER BY k.child LIMIT $2) d
ORDER BY wanted.place, d.child LIMIT $2;
