-- What the audit reads: the log in order, and every view, all in one snapshot. Columns as in projections/rows.py.

-- name: audit_log
SELECT seq, kind, id, version, type, data, actor, at, cause, command_id FROM log.events ORDER BY seq;

-- name: audit_tasks
SELECT id, created_seq, position, ready_at, run_id, created_at, claimed_at, started_at, finished_at, next_run_at, timeout_seconds, version,
       waiting_on, attempts, max_attempts, priority, status, task_type, phase, directive_id, claimed_by, blocked_parent, last_error, title
FROM view.tasks;

-- name: audit_task_deps
SELECT parent, child FROM view.task_deps;

-- name: audit_queue
-- A task may be in `ready` although it was scheduled: it fell due and was moved over. The clock may have been set back
-- since then, as happens when another server takes over.
SELECT r.id, r.priority, r.position, t.next_run_at AS due_at
FROM view.ready r LEFT JOIN view.tasks t ON t.id = r.id AND t.next_run_at <= log.now() + interval '1 minute'
UNION ALL
SELECT id, priority, position, due_at FROM view.scheduled;

-- name: audit_running
SELECT run_id, id, runner, attempt, claimed_at, started_at, branch, commit_hash FROM view.running;

-- name: audit_aside
SELECT id, why, created_seq FROM view.aside;

-- name: audit_lost_runs
SELECT id, status FROM view.lost_runs;

-- name: audit_ended_runs
SELECT id, task_id, runner, attempt, status, claimed_at, started_at, finished_at, duration_ms, branch, commit_hash, summary, error FROM view.ended_runs;

-- name: audit_steps
SELECT run_id, number, name, cmd, exit_code, duration_ms, output_excerpt, output_bytes, truncated, error, at FROM view.steps;

-- name: audit_file_changes
SELECT run_id, path, change, added, removed, renamed_from FROM view.file_changes;

-- name: audit_artifacts
-- The digests of what is stored, computed again. `stored_at` is null for what was stored before ends sealed artifacts, and
-- for what is marked as late.
SELECT run_id, kind, encode(sha256(convert_to(content, 'UTF8')), 'hex') AS sha256, CASE WHEN sha256 IS NOT NULL AND NOT late THEN at END AS stored_at
FROM log.artifacts;

-- name: audit_runners
SELECT id, version, status, started_at, last_seen_at, stopped_at, draining_since, draining_by, draining_reason, meta FROM view.runners;

-- name: audit_system
SELECT id, version, status, reason, changed_at, changed_by FROM view.system;

-- name: audit_requests
SELECT id, version, status, definition, reason, place, opened_at, provided_at, provided_by, changed_at, changed_by FROM view.requests;

-- name: audit_directives
SELECT id, version, status, title, digest, approval, planner_run, task_ids, required, proposed_seq, proposed_at, proposed_by, decided_seq, decided_at,
       decided_by, reason
FROM view.directives;

-- name: audit_planner_runs
SELECT id, version, status, seq, outcome, error, model, environment, prompt_tokens, completion_tokens, cost, duration_ms, rounds, directives, tasks,
       refused, ended_at, started_by
FROM view.planner_runs;

-- name: audit_task_counts
SELECT s.status, s.count
FROM (SELECT coalesce(sum(ready), 0)::bigint AS ready, coalesce(sum(running), 0)::bigint AS running, coalesce(sum(done), 0)::bigint AS done,
             coalesce(sum(failed), 0)::bigint AS failed, coalesce(sum(blocked), 0)::bigint AS blocked,
             coalesce(sum(cancelled), 0)::bigint AS cancelled FROM view.task_counts) c
CROSS JOIN LATERAL (VALUES ('ready', c.ready), ('running', c.running), ('done', c.done), ('failed', c.failed),
                           ('blocked', c.blocked), ('cancelled', c.cancelled)) AS s (status, count);

-- name: audit_run_counts
SELECT bucket, sum(ended)::bigint AS ended, sum(failed)::bigint AS failed FROM view.run_counts GROUP BY bucket;
