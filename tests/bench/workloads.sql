-- When is all done, and was each task done exactly once? `check`: (complete, anything else).

-- name: ours_done
SELECT NOT EXISTS (SELECT FROM view.running) AND NOT EXISTS (SELECT FROM view.ready);

-- name: ours_check
SELECT (SELECT count(DISTINCT id) FROM log.events WHERE kind = 'task' AND type = 'task.done') AS complete,
       (SELECT count(*) FROM view.tasks WHERE status <> 'done' OR attempts <> 1)
       + (SELECT count(*) - count(DISTINCT id) FROM log.events WHERE kind = 'task' AND type = 'task.done') AS other;

-- name: baseline_done
SELECT NOT EXISTS (SELECT FROM job WHERE state < 2);

-- name: baseline_check
SELECT count(*) FILTER (WHERE state = 2) AS complete, count(*) FILTER (WHERE state <> 2) AS other FROM job;
