-- A task that waits can be given another priority.
INSERT INTO log.transitions (kind, type, sources, target) VALUES ('task', 'task.prioritized', '{ready}', 'ready');
