-- A history made elsewhere comes into an empty log as it is; the views are folded from it afterwards, by a rebuild.

-- name: silence_log
-- The guard would not have times that are not now.
ALTER TABLE log.events DISABLE TRIGGER USER;

-- name: heed_log
ALTER TABLE log.events ENABLE TRIGGER USER;

-- name: continue_seq
SELECT setval(pg_get_serial_sequence('log.events', 'seq'), (SELECT max(seq) FROM log.events));

-- name: write_output
-- Every fiftieth run printed something.
INSERT INTO log.output (run_id, chunk, step, stream, data)
SELECT r.id, n, 1, 'stdout', format(E'collected %s items\ntests/test_invoice.py::test_total \033[32mPASSED\033[0m\n41 passed, 1 skipped\n', n)
FROM view.runs r CROSS JOIN generate_series(1, 3) n WHERE r.id % 50 = 0;

-- name: write_long_output
-- $1 run, $2 how many pieces of some kilobyte, half of them in colours
INSERT INTO log.output (run_id, chunk, step, stream, data)
SELECT $1, n, 1 + n / 3, 'stdout', repeat(format(E'src/part_%s.py: \033[32mrenamed\033[0m 12 names, none left\n', n), 20)
FROM generate_series(1, $2::integer) n;

-- name: write_patch
-- $1 run, $2 how many files
INSERT INTO log.artifacts (run_id, kind, content)
SELECT $1, 'patch', string_agg(format(E'diff --git a/src/part_%1$s.py b/src/part_%1$s.py\n--- a/src/part_%1$s.py\n+++ b/src/part_%1$s.py\n'
    '@@ -1,3 +1,3 @@\n def total(lines):\n-    return sum(line.amount for line in lines)\n+    return sum(each.cents for each in lines)\n', n), '')
FROM generate_series(1, $2::integer) n;

-- name: beat
-- These runners say that they are alive. $1 ids
INSERT INTO log.events (kind, id, version, type, actor, data)
SELECT 'runner', r.id, r.version + 1, 'runner.heartbeat', 'runner:' || r.id, '{}'
FROM view.runners r WHERE r.id = ANY ($1::text[]) ORDER BY r.id;

-- name: find_run
-- The last run of the task $1.
SELECT seq FROM log.events WHERE kind = 'task' AND id = $1 AND type = 'task.claimed' ORDER BY version DESC LIMIT 1;

-- name: count_history
-- Tasks and events, by the counters and the sequence.
SELECT (SELECT sum(ready + running + done + failed + blocked + cancelled)::bigint FROM view.task_counts) AS tasks,
       (SELECT coalesce(max(seq), 0) FROM log.events) AS events;
