-- A runner can be asked to claim no more, and to go on.
INSERT INTO log.transitions (kind, type, sources, target) VALUES
    ('runner', 'runner.draining', '{alive}', 'alive'),
    ('runner', 'runner.resumed',  '{alive}', 'alive');
