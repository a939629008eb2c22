-- What is looked at while a database works for a long time. Nothing here reads a table that grows.

-- name: count_waiting
SELECT sum(ready)::bigint FROM view.task_counts;

-- name: count_left
SELECT sum(ready + running)::bigint FROM view.task_counts;

-- name: count_done
SELECT sum(done)::bigint FROM view.task_counts;

-- name: look
SELECT (SELECT sum(done)::bigint FROM view.task_counts) AS done, (SELECT sum(ready)::bigint FROM view.task_counts) AS waiting,
       (SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables) AS dead, pg_database_size(current_database()) AS size;

-- name: hold
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT FROM log.transitions;

-- name: count_history
SELECT (SELECT max(seq) FROM log.events) AS events, (SELECT sum(ended)::bigint FROM view.run_counts) AS ended,
       sum(done)::bigint AS done, sum(ready + running + failed + blocked + cancelled)::bigint AS left
FROM view.task_counts;
