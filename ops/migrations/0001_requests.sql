-- The request stream: credentials that are asked for, provided, withdrawn.
INSERT INTO log.transitions (kind, type, sources, target) VALUES
    ('request', 'request.opened',    '{"",WAITING,PROVIDED,WITHDRAWN}', 'WAITING'),
    ('request', 'request.provided',  '{WAITING,PROVIDED}',              'PROVIDED'),
    ('request', 'request.withdrawn', '{WAITING,PROVIDED}',              'WITHDRAWN');
