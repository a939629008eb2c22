-- An operator, or TASKS.json, says of a task that no run executes that it is done, or failed.
UPDATE log.transitions SET sources = '{ready,running}' WHERE type IN ('task.done', 'task.failed');
