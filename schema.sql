-- El Ruso: the whole database.
--
-- Work is written down once, as events, in one table: log.events. An INSERT into it is the only way the state of
-- a task, a runner or the system ever changes. Everything else that can be read here is a view of that log, kept
-- by the triggers of the second half of this file, in the same transaction as the event itself.
--
-- A task's life, as it stands in the log (one stream per task, versions 1, 2, 3 …):
--
--     task.created                 somebody asks for work; the definition is this event's data and is copied nowhere
--     task.claimed                 a runner takes it; THE SEQ OF THIS EVENT IS THE RUN'S ID, and the fence
--     task.started  task.step …    what the run reports, each report naming its run
--     task.done  or  task.failed   how the run ended; or, without a run, how the task did, as an operator says
--     task.requeued | blocked      what became of the task after a failure, a lost runner, a parent's end
--     task.prioritized             somebody wants it sooner, or later, while it waits
--
-- What happens on INSERT, once per statement, whatever the number of rows:
--
--     log.guard_append             types are known, positions and times are the database's own, data and envelope keep
--                                  to log.rules
--     view.fold_tasks              checks each stream against log.transitions, its next version and its fence, and in
--                                  the same UPDATE writes the new state: an illegal history cannot be written
--                                  (fold_creations, fold_claims, fold_endings: the same for the hot kinds of statement)
--     view.fold_dependencies       a child counts the parents that are not done; a parent's end counts it down
--     view.fold_aside              tasks that failed, are blocked, cancelled or wait for parents; runs that did not end well
--     view.fold_runs, fold_steps, fold_runners, fold_system, fold_requests, fold_directives, fold_planner_runs
--     log.react                    a parent that ended badly blocks its waiting children, with the reason
--     log.react_directives         a directive whose tasks are all done is applied; one that waits for nothing starts;
--                                  of one that is rejected no task is left in the queue
--     log.wake_foreign             sessions that are not ours (psql, other languages) wake the runners by NOTIFY
--
-- Rules of a fold. It reads the rows of one statement (`batch`), sees each stream's events in version order, takes
-- time only from the events, locks rows in id order, and looks at other streams only in ways that commute. So the
-- same function serves the live INSERT and a rebuild, which shows it whole lives and slices of history; and the whole
-- `view` schema is disposable: `elruso db rebuild` makes it anew beside the live one and swaps the two. Lives that went
-- straight to their end need no fold there (view.recall_lives).
--
-- One idiom: `LATERAL (SELECT … OFFSET 0)` pins the order of a join, from the batch to the table by its key and never
-- the other way round, whatever the statistics said when the plan was cached (an empty table looks like a good place
-- to start, until it is not empty any more).
--
-- Lock order, everywhere (docs/adr/0033): the decision lock, rows of `ready` that a command is about to take from the queue,
-- parents of what is requeued, then what the INSERT locks: versions of streams, tasks by id, ready / scheduled by key,
-- running by run, a row of task_counts, one of run_counts, directives by id.
--
-- Refusals (class ER; events/database_errors.py maps them to exceptions):
--
--     ER001  wrong version         another writer appended to the stream first
--     ER002  illegal transition    log.transitions does not allow the event from the stream's status
--     ER003  lease lost            the event names a run that is not the task's current one
--     ER004  unknown dependency    a task depends on one that does not come before it in the log
--     ER005  history is final      UPDATE, DELETE or TRUNCATE on the log
--     ER006  malformed event       unknown type, data or envelope against log.rules, a position that the writer chose
--     ER008  time                  `at` is not the database's own, or its clock was set back during the statement
--
-- Text ids compare by byte (COLLATE "C"): cheaper, and the same on every server. PostgreSQL 14 and newer.

CREATE SCHEMA log;

-- The clock. Tests set elruso.now to steer it; production never does.
CREATE FUNCTION log.now() RETURNS timestamptz LANGUAGE sql VOLATILE
RETURN coalesce(nullif(current_setting('elruso.now', true), '')::timestamptz, clock_timestamp());

-- A time as answers show it, 2026-02-13T10:00:00.123Z: three digits of a second, as in JavaScript. The log keeps microseconds.
CREATE FUNCTION log.rfc3339(moment timestamptz) RETURNS text LANGUAGE sql STABLE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- How long a task rests after its n-th failed attempt: 10 s, 30 s, then 120 s, give or take 15 % so that failures spread.
CREATE FUNCTION log.backoff(attempt integer) RETURNS interval LANGUAGE sql VOLATILE
RETURN (ARRAY[10, 30, 120])[least(greatest(attempt, 1), 3)] * (0.85 + 0.3 * random()) * interval '1 second';

CREATE TABLE log.events (
    seq         bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,  -- position in the log; CACHE 1: see events/follower.py
    at          timestamptz NOT NULL DEFAULT log.now(),
    command_id  uuid,                              -- the client's idempotency key
    cause       bigint,                            -- seq of the event that led to this one
    version     integer NOT NULL CHECK (version > 0),
    kind        text COLLATE "C" NOT NULL,         -- kind and id name the stream
    id          text COLLATE "C" NOT NULL CHECK (length(id) BETWEEN 1 AND 200),
    type        text COLLATE "C" NOT NULL,
    actor       text COLLATE "C" NOT NULL,         -- runner:…, human:…, gpt, system
    data        json NOT NULL,                     -- json, not jsonb: the exact bytes are kept, to be hashed and sealed
    CONSTRAINT events_stream_version UNIQUE (id, kind, version)  -- the id first: kinds are few, and compared in vain
);
CREATE UNIQUE INDEX events_command ON log.events (command_id) WHERE command_id IS NOT NULL;
-- What happens seldom, for those who look for it: what happens often pays one comparison for it. The same six stand in
-- events/log.py, and in the statements that read by it.
CREATE INDEX events_seldom ON log.events (type, seq)
    WHERE type <> ALL ('{task.created,task.claimed,task.started,task.step,task.done,runner.heartbeat}');

COMMENT ON TABLE log.events IS 'The only place where domain state is written. Append-only.';

-- The state machine as data. '' is a stream that does not exist yet. The same table stands in events/*.py; a test compares.
CREATE TABLE log.transitions (
    type    text COLLATE "C" PRIMARY KEY,
    kind    text COLLATE "C" NOT NULL,
    sources text[] COLLATE "C" NOT NULL,
    target  text COLLATE "C" NOT NULL
);
INSERT INTO log.transitions (kind, type, sources, target) VALUES
    ('task',   'task.created',     '{""}',                                'ready'),
    ('task',   'task.claimed',     '{ready}',                             'running'),
    ('task',   'task.started',     '{running}',                           'running'),
    ('task',   'task.step',        '{running}',                           'running'),
    ('task',   'task.done',        '{ready,running}',                     'done'),
    ('task',   'task.failed',      '{ready,running}',                     'failed'),
    ('task',   'task.requeued',    '{running,failed,blocked,cancelled}',  'ready'),
    ('task',   'task.prioritized', '{ready}',                         'ready'),
    ('task',   'task.blocked',     '{ready,running,failed}',              'blocked'),
    ('task',   'task.cancelled',   '{ready,running,failed,blocked}',      'cancelled'),
    ('runner', 'runner.started',   '{"",alive,stopped}',                  'alive'),
    ('runner', 'runner.heartbeat', '{"",alive,stopped}',                  'alive'),
    ('runner', 'runner.stopped',   '{alive,stopped}',                     'stopped'),
    ('runner', 'runner.draining',  '{alive}',                             'alive'),
    ('runner', 'runner.resumed',   '{alive}',                             'alive'),
    ('request', 'request.opened',    '{"",WAITING,PROVIDED,WITHDRAWN}',   'WAITING'),
    ('request', 'request.provided',  '{WAITING,PROVIDED}',                'PROVIDED'),
    ('request', 'request.withdrawn', '{WAITING,PROVIDED}',                'WITHDRAWN'),
    ('directive', 'directive.proposed', '{""}',                           'PENDING'),
    ('directive', 'directive.applied',  '{PENDING}',                      'APPLIED'),
    ('directive', 'directive.rejected', '{PENDING}',                      'REJECTED'),
    ('planner', 'planner.completed', '{""}',                              'completed'),
    ('planner', 'planner.failed',    '{""}',                              'failed'),
    ('system', 'system.paused',    '{"",active}',                         'paused'),
    ('system', 'system.resumed',   '{paused}',                            'active');

-- What an event must be, by its type, and its envelope, by its kind: the Structs of events/*.py in a subset of JSON Schema
-- (events/rules.py, which prints these rows; a test compares).
CREATE TABLE log.rules (
    name text COLLATE "C" PRIMARY KEY,
    rule jsonb NOT NULL
);
INSERT INTO log.rules (name, rule) VALUES
    ('task.created', '{"type":["object"],"properties":{"title":{"type":["string"],"minLength":1,"maxLength":1000},"body":{"type":["string","null"],"maxLength":1000000},"phase":{"type":["string","integer","null"],"maxLength":200,"minimum":-9223372036854775808,"maximum":9223372036854775807},"task_type":{"type":["string"],"minLength":1,"maxLength":1000},"steps":{"type":["array"],"items":{"type":["object"],"properties":{"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string"],"maxLength":1000000},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000}},"required":["name","cmd"],"additionalProperties":false}},"params":{"type":["object"]},"priority":{"type":["integer"],"minimum":0,"maximum":1000},"max_attempts":{"type":["integer"],"minimum":1,"maximum":100},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000},"depends_on":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"blocked_by":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"directive_id":{"type":["string","null"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"branch":{"type":["string","null"],"minLength":1,"maxLength":1000},"acceptance":{"type":["object","null"],"properties":{"expected_files":{"type":["array"],"items":{"type":["string"],"maxLength":16384}},"checks":{"type":["array"],"items":{"type":["object"],"properties":{"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string"],"maxLength":1000000},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000}},"required":["name","cmd"],"additionalProperties":false}}},"required":[],"additionalProperties":false},"allowed_scope":{"type":["array"],"items":{"type":["string"],"maxLength":16384}},"next_run_at":{"type":["string","null"],"format":"date-time"}},"required":["title"],"additionalProperties":false}'),
    ('task.claimed', '{"type":["object"],"properties":{"runner":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"attempt":{"type":["integer"],"minimum":0,"maximum":1000000}},"required":["runner","attempt"],"additionalProperties":false}'),
    ('task.started', '{"type":["object"],"properties":{"run_id":{"type":["integer"],"minimum":0,"maximum":9223372036854775807},"branch":{"type":["string","null"],"maxLength":1000},"commit_hash":{"type":["string","null"],"maxLength":1000}},"required":["run_id"],"additionalProperties":false}'),
    ('task.step', '{"type":["object"],"properties":{"run_id":{"type":["integer"],"minimum":0,"maximum":9223372036854775807},"number":{"type":["integer"],"minimum":0,"maximum":2147483647},"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string","null"],"maxLength":1000000},"exit_code":{"type":["integer","null"],"minimum":-2147483648,"maximum":2147483647},"duration_ms":{"type":["integer","null"],"minimum":0,"maximum":9007199254740991},"output_excerpt":{"type":["string","null"],"maxLength":1000000},"output_bytes":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"truncated":{"type":["boolean"]},"error":{"type":["string","null"],"maxLength":1000000}},"required":["run_id","number","name"],"additionalProperties":false}'),
    ('task.done', '{"type":["object"],"properties":{"run_id":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807},"duration_ms":{"type":["integer","null"],"minimum":0,"maximum":9007199254740991},"summary":{"type":["string","null"],"maxLength":1000000},"result":{},"branch":{"type":["string","null"],"maxLength":1000},"commit_hash":{"type":["string","null"],"maxLength":1000},"file_changes":{"type":["array"],"items":{"type":["object"],"properties":{"path":{"type":["string"],"maxLength":16384},"change":{"enum":["added","deleted","modified","renamed"],"type":["string"]},"added":{"type":["integer","null"],"minimum":0,"maximum":2147483647},"removed":{"type":["integer","null"],"minimum":0,"maximum":2147483647},"renamed_from":{"type":["string","null"],"maxLength":16384}},"required":["path"],"additionalProperties":false}},"unrecorded":{"type":["array"],"items":{"type":["object"],"properties":{"path":{"type":["string"],"maxLength":16384},"reason":{"enum":["embedded_repository","history","refused","special_file","submodule","unsupported_name"],"type":["string"]}},"required":["path","reason"],"additionalProperties":false}},"kept_path":{"type":["string","null"],"maxLength":16384},"kept_until":{"type":["string","null"],"format":"date-time"},"artifacts":{"type":["array"],"items":{"type":["object"],"properties":{"kind":{"enum":["diffstat","patch"],"type":["string"]},"sha256":{"type":["string"],"maxLength":200},"size_bytes":{"type":["integer"],"minimum":0,"maximum":9007199254740991}},"required":["kind","sha256","size_bytes"],"additionalProperties":false}},"artifact_path":{"type":["string","null"],"maxLength":16384}},"required":["run_id"],"additionalProperties":false}'),
    ('task.failed', '{"type":["object"],"properties":{"run_id":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807},"error":{"type":["string"],"maxLength":1000000},"duration_ms":{"type":["integer","null"],"minimum":0,"maximum":9007199254740991},"summary":{"type":["string","null"],"maxLength":1000000},"branch":{"type":["string","null"],"maxLength":1000},"commit_hash":{"type":["string","null"],"maxLength":1000},"file_changes":{"type":["array"],"items":{"type":["object"],"properties":{"path":{"type":["string"],"maxLength":16384},"change":{"enum":["added","deleted","modified","renamed"],"type":["string"]},"added":{"type":["integer","null"],"minimum":0,"maximum":2147483647},"removed":{"type":["integer","null"],"minimum":0,"maximum":2147483647},"renamed_from":{"type":["string","null"],"maxLength":16384}},"required":["path"],"additionalProperties":false}},"unrecorded":{"type":["array"],"items":{"type":["object"],"properties":{"path":{"type":["string"],"maxLength":16384},"reason":{"enum":["embedded_repository","history","refused","special_file","submodule","unsupported_name"],"type":["string"]}},"required":["path","reason"],"additionalProperties":false}},"kept_path":{"type":["string","null"],"maxLength":16384},"kept_until":{"type":["string","null"],"format":"date-time"},"artifacts":{"type":["array"],"items":{"type":["object"],"properties":{"kind":{"enum":["diffstat","patch"],"type":["string"]},"sha256":{"type":["string"],"maxLength":200},"size_bytes":{"type":["integer"],"minimum":0,"maximum":9007199254740991}},"required":["kind","sha256","size_bytes"],"additionalProperties":false}},"artifact_path":{"type":["string","null"],"maxLength":16384}},"required":["run_id","error"],"additionalProperties":false}'),
    ('task.requeued', '{"type":["object"],"properties":{"reason":{"type":["string"],"maxLength":1000000},"run_id":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807},"next_run_at":{"type":["string","null"],"format":"date-time"},"attempts":{"type":["integer","null"],"minimum":0,"maximum":1000000},"last_error":{"type":["string","null"],"maxLength":1000000}},"required":["reason"],"additionalProperties":false}'),
    ('task.prioritized', '{"type":["object"],"properties":{"priority":{"type":["integer"],"minimum":0,"maximum":1000}},"required":["priority"],"additionalProperties":false}'),
    ('task.blocked', '{"type":["object"],"properties":{"reason":{"type":["string"],"maxLength":1000000},"run_id":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807},"parent":{"type":["string","null"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"required":["reason"],"additionalProperties":false}'),
    ('task.cancelled', '{"type":["object"],"properties":{"reason":{"type":["string","null"],"maxLength":1000000},"run_id":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":[],"additionalProperties":false}'),
    ('runner.started', '{"type":["object"],"properties":{"meta":{"type":["object"]}},"required":[],"additionalProperties":false}'),
    ('runner.heartbeat', '{"type":["object"],"properties":{"meta":{"type":["object","null"]}},"required":[],"additionalProperties":false}'),
    ('runner.stopped', '{"type":["object"],"properties":{"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('runner.draining', '{"type":["object"],"properties":{"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('runner.resumed', '{"type":["object"],"properties":{},"required":[],"additionalProperties":false}'),
    ('directive.proposed', '{"type":["object"],"properties":{"title":{"type":["string"],"minLength":1,"maxLength":1000},"digest":{"type":["string"],"maxLength":200},"approval":{"enum":["auto","manual"],"type":["string"]},"body":{"type":["string","null"],"maxLength":1000000},"acceptance_criteria":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}},"risks":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}},"required_requests":{"type":["array"],"items":{"type":["object"],"properties":{"request_id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"reason":{"type":["string","null"],"maxLength":1000000}},"required":["request_id"],"additionalProperties":false}},"tasks_to_create":{"type":["array"],"items":{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"title":{"type":["string"],"minLength":1,"maxLength":1000},"body":{"type":["string","null"],"maxLength":1000000},"phase":{"type":["string","integer","null"],"maxLength":200,"minimum":-9223372036854775808,"maximum":9223372036854775807},"task_type":{"type":["string"],"minLength":1,"maxLength":1000},"steps":{"type":["array"],"items":{"type":["object"],"properties":{"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string"],"maxLength":1000000},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000}},"required":["name","cmd"],"additionalProperties":false}},"params":{"type":["object"]},"priority":{"type":["integer"],"minimum":0,"maximum":1000},"max_attempts":{"type":["integer"],"minimum":1,"maximum":100},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000},"depends_on":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"blocked_by":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"acceptance":{"type":["object","null"],"properties":{"expected_files":{"type":["array"],"items":{"type":["string"],"maxLength":16384}},"checks":{"type":["array"],"items":{"type":["object"],"properties":{"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string"],"maxLength":1000000},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000}},"required":["name","cmd"],"additionalProperties":false}}},"required":[],"additionalProperties":false},"allowed_scope":{"type":["array"],"items":{"type":["string"],"maxLength":16384}}},"required":["id","title"],"additionalProperties":false}},"planner_run":{"type":["string","null"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"notes":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}},"extra":{"type":["object"]}},"required":["title","digest","approval"],"additionalProperties":false}'),
    ('directive.applied', '{"type":["object"],"properties":{"created":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"left_out":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('directive.rejected', '{"type":["object"],"properties":{"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('request.opened', '{"type":["object"],"properties":{"definition":{"type":["object","null"],"properties":{"service":{"type":["string"],"maxLength":1000},"type":{"type":["string"],"minLength":1,"maxLength":1000},"scopes":{"type":["array"],"items":{"type":["string"],"pattern":"^[A-Za-z_][A-Za-z0-9_]{0,199}$(?!\\n)"}},"purpose":{"type":["string","null"],"maxLength":1000000},"where_to_set":{"type":["string","null"],"maxLength":1000000},"validation_cmd":{"type":["string","null"],"maxLength":1000000}},"required":["service"],"additionalProperties":false},"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('request.provided', '{"type":["object"],"properties":{"names":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":1000}},"place":{"type":["string","null"],"maxLength":16384}},"required":[],"additionalProperties":false}'),
    ('request.withdrawn', '{"type":["object"],"properties":{"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('planner.completed', '{"type":["object"],"properties":{"model":{"type":["string"],"minLength":1,"maxLength":1000},"prompt_hash":{"type":["string"],"maxLength":200},"environment":{"type":["string"],"minLength":1,"maxLength":1000},"usage":{"type":["object"],"properties":{"prompt_tokens":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"completion_tokens":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"cached_tokens":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"estimated":{"type":["boolean"]}},"required":[],"additionalProperties":false},"cost":{"type":["number"],"minimum":0,"maximum":1000000000000.0},"duration_ms":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"rounds":{"type":["integer"],"minimum":0,"maximum":2147483647},"directives":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"tasks":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"requests":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"refused":{"type":["array"],"items":{"type":["object"],"properties":{"title":{"type":["string"],"maxLength":1000000},"reason":{"type":["string"],"maxLength":1000000}},"required":["title","reason"],"additionalProperties":false}},"notes":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}}},"required":["model","prompt_hash"],"additionalProperties":false}'),
    ('planner.failed', '{"type":["object"],"properties":{"outcome":{"enum":["internal","interrupted","invalid_answer","model_error","rate_limited","refused","timeout","unauthorized","unreachable"],"type":["string"]},"error":{"type":["string"],"maxLength":1000000},"model":{"type":["string"],"minLength":1,"maxLength":1000},"prompt_hash":{"type":["string","null"],"maxLength":200},"environment":{"type":["string"],"minLength":1,"maxLength":1000},"usage":{"type":["object"],"properties":{"prompt_tokens":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"completion_tokens":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"cached_tokens":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"estimated":{"type":["boolean"]}},"required":[],"additionalProperties":false},"cost":{"type":["number"],"minimum":0,"maximum":1000000000000.0},"duration_ms":{"type":["integer"],"minimum":0,"maximum":9007199254740991},"rounds":{"type":["integer"],"minimum":0,"maximum":2147483647}},"required":["outcome","error","model"],"additionalProperties":false}'),
    ('system.paused', '{"type":["object"],"properties":{"reason":{"type":["string","null"],"maxLength":1000000}},"required":[],"additionalProperties":false}'),
    ('system.resumed', '{"type":["object"],"properties":{},"required":[],"additionalProperties":false}'),
    ('task', '{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"actor":{"type":["string"],"minLength":1,"maxLength":300},"cause":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":["id","actor","cause"],"additionalProperties":false}'),
    ('runner', '{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"actor":{"type":["string"],"minLength":1,"maxLength":300},"cause":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":["id","actor","cause"],"additionalProperties":false}'),
    ('directive', '{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"actor":{"type":["string"],"minLength":1,"maxLength":300},"cause":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":["id","actor","cause"],"additionalProperties":false}'),
    ('request', '{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"actor":{"type":["string"],"minLength":1,"maxLength":300},"cause":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":["id","actor","cause"],"additionalProperties":false}'),
    ('planner', '{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"actor":{"type":["string"],"minLength":1,"maxLength":300},"cause":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":["id","actor","cause"],"additionalProperties":false}'),
    ('system', '{"type":["object"],"properties":{"id":{"enum":["main"],"type":["string"]},"actor":{"type":["string"],"minLength":1,"maxLength":300},"cause":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775807}},"required":["id","actor","cause"],"additionalProperties":false}');

-- What is too big for an event, or may be pruned: step output in chunks, patches.
CREATE TABLE log.output (
    run_id  bigint NOT NULL,
    chunk   integer NOT NULL,                      -- 1, 2, 3 … within the run
    step    integer NOT NULL,
    stream  text NOT NULL CHECK (stream IN ('stdout', 'stderr')),
    at      timestamptz NOT NULL DEFAULT log.now(),
    data    text NOT NULL,
    PRIMARY KEY (run_id, chunk)
);
CREATE TABLE log.artifacts (
    run_id  bigint NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('patch', 'diffstat')),
    at      timestamptz NOT NULL DEFAULT log.now(),
    content text NOT NULL,
    sha256  bytea,                                 -- of the content in UTF-8; null: stored before ends sealed artifacts
    before_sha text,                               -- the commits between which it lies, as its runner names them
    after_sha  text,
    late    boolean NOT NULL DEFAULT false,        -- stored after the run's end, which vouches for none of its kind
    PRIMARY KEY (run_id, kind)
);

-- Bearer tokens of the API: only the SHA-256 of a token is kept. An expired token counts as revoked.
CREATE TABLE log.tokens (
    name       text PRIMARY KEY,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'runner', 'admin')),
    digest     bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT log.now(),
    revoked_at timestamptz,
    expires_at timestamptz
);

-- Which token a runner id belongs to; it never changes. A null token: a runner over PostgreSQL (docs/adr/0020).
CREATE TABLE log.runner_ids (
    runner   text COLLATE "C" PRIMARY KEY,
    token    text REFERENCES log.tokens (name),
    bound_at timestamptz NOT NULL DEFAULT log.now()
);

-- Sessions of the panel: only the SHA-256 of the id in the cookie is kept (docs/adr/0021). A session is valid while its
-- row exists, the token with the digest `token` is valid, and `expires_at` has not passed.
CREATE TABLE log.sessions (
    digest       bytea PRIMARY KEY,
    token        bytea NOT NULL,
    audience     text NOT NULL,                    -- the Host header of the sign-in: host and port
    created_at   timestamptz NOT NULL DEFAULT log.now(),
    last_used_at timestamptz NOT NULL DEFAULT log.now(),
    expires_at   timestamptz NOT NULL
);

-- A hint, unless the server's queue of notifications is nearly full, as when a session that listens has been in a transaction
-- for hours: what a full queue refuses is the commit, and a hint must never cost a write. Answers whether it was given.
CREATE FUNCTION log.notify(channel text, payload text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_notification_queue_usage() > 0.9 THEN
        RETURN false;
    END IF;
    PERFORM pg_notify(channel, payload);
    RETURN true;
END $$;

-- A token or session that ends is announced in the transaction that ends it, whoever does: the API processes then end its
-- open streams and waiting claims. Both are rare, so a NOTIFY that serialises their commits costs nothing.
CREATE FUNCTION log.announce_credentials() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM log.notify('elruso', 't');
    RETURN NULL;
END $$;
CREATE TRIGGER tokens_are_announced AFTER INSERT OR UPDATE OR DELETE ON log.tokens
    FOR EACH STATEMENT EXECUTE FUNCTION log.announce_credentials();
CREATE TRIGGER sessions_are_announced AFTER DELETE ON log.sessions
    FOR EACH STATEMENT EXECUTE FUNCTION log.announce_credentials();

-- How far the run of the planner is that is under way: a note to whoever watches, no history. A row counts only while
-- its run holds the planner's lock (ops/planner/flight.py); what a killed one leaves behind the next one removes.
CREATE TABLE log.planner_progress (
    run_id      text PRIMARY KEY,
    stage       text NOT NULL,
    detail      text,
    model       text NOT NULL,
    environment text NOT NULL,
    started_by  text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT log.now(),
    changed_at  timestamptz NOT NULL DEFAULT log.now()
);

-- History is final, for everyone, the owner included.
CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: history is final; append a new event instead', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'ER005';
END $$;
CREATE TRIGGER events_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON log.events
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

-- The first thing in a JSON value that breaks a rule, in words; null: nothing does.
CREATE FUNCTION log.broken_rule(value json, rule jsonb, place text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    content CONSTANT text := value #>> '{}';
    kind    text := json_typeof(value);
    member  record;
    broken  text;
BEGIN
    IF kind = 'number' AND content ~ '^-?[0-9]+$' THEN
        kind := 'integer';
    END IF;
    IF NOT (rule->'type' ? kind OR kind = 'integer' AND rule->'type' ? 'number') THEN
        RETURN format('%s must be of type %s, not %s', place, replace(btrim(rule->>'type', '[]'), '"', ''), kind);
    END IF;
    IF kind = 'string' THEN
        IF NOT rule->'enum' ? content THEN
            RETURN format('%s must be one of %s', place, btrim(rule->>'enum', '[]'));
        ELSIF length(content) NOT BETWEEN coalesce((rule->>'minLength')::integer, 0) AND coalesce((rule->>'maxLength')::integer, 2147483647) THEN
            RETURN format('%s must be of %s to %s characters, not %s', place, coalesce(rule->>'minLength', '0'), rule->>'maxLength', length(content));
        ELSIF content !~ (rule->>'pattern') THEN
            RETURN format('%s must match %s', place, rule->>'pattern');
        ELSIF rule->>'format' = 'date-time' AND NOT log.is_moment(content) THEN
            RETURN format('%s must be a time with its offset (RFC 3339) from 1970 to 9998', place);
        END IF;
    ELSIF kind IN ('integer', 'number') THEN
        IF content::numeric < (rule->>'minimum')::numeric OR content::numeric > (rule->>'maximum')::numeric THEN
            RETURN format('%s must be from %s to %s', place, rule->>'minimum', rule->>'maximum');
        END IF;
    ELSIF kind = 'array' AND rule ? 'items' THEN
        FOR member IN SELECT e.value, e.number FROM json_array_elements(value) WITH ORDINALITY AS e (value, number) LOOP
            broken := log.broken_rule(member.value, rule->'items', place || '[' || member.number - 1 || ']');
            EXIT WHEN broken IS NOT NULL;
        END LOOP;
    ELSIF kind = 'object' AND rule ? 'properties' THEN
        FOR member IN SELECT e.key, e.value FROM json_each(value) AS e (key, value) LOOP
            IF NOT rule->'properties' ? member.key THEN
                RETURN format('%s has an unknown field %s', place, left(member.key, 100));
            END IF;
            broken := log.broken_rule(member.value, rule->'properties'->member.key, place || '.' || member.key);
            EXIT WHEN broken IS NOT NULL;
        END LOOP;
        IF broken IS NULL THEN
            SELECT format('%s lacks the field %s', place, r.name) INTO broken
            FROM jsonb_array_elements_text(rule->'required') AS r (name) WHERE value->r.name IS NULL LIMIT 1;
        END IF;
    END IF;
    RETURN broken;
END $$;

-- Whether a text is a time that every reader can show, in any time zone: as msgspec reads it, from MOMENT_MIN to MOMENT_MAX
-- (events/limits.py).
CREATE FUNCTION log.is_moment(content text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN content ~ '^\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):?[0-5]\d)$'
                THEN content::timestamptz BETWEEN '1970-01-01 00:00:00+00' AND '9998-12-31 00:00:00+00' ELSE false END
$$;

-- What no rule says of free JSON, such as `params`: that readers can decode it. As events/limits.py, DEPTH_MAX.
CREATE FUNCTION log.undecodable(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN octet_length(value::text) > 16777216 THEN 'it is larger than 16 MiB'
                WHEN jsonb_path_exists(value, 'strict $.**{101 to last} ? (@.type() == "object" || @.type() == "array")')
                THEN 'it is nested more than 100 levels deep'
                WHEN jsonb_path_exists(value, 'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))')
                THEN 'it holds a number that no double can' END
$$;

-- A position that the writer chose himself (OVERRIDING SYSTEM VALUE) would be passed over by followers, or met again by the
-- sequence. So before a foreign statement one is drawn, and the guard asks whether the statement's own come after it.
CREATE FUNCTION log.mark_append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = log, pg_temp AS $$
BEGIN
    PERFORM set_config('elruso.mark', nextval('events_seq_seq')::text, true);
    RETURN NULL;
END $$;
CREATE TRIGGER append_0_mark BEFORE INSERT ON log.events FOR EACH STATEMENT
    WHEN (current_setting('elruso.managed', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION log.mark_append();

-- Types must be known; `at` must be the clock's own word, not the writer's; envelope and data must keep to log.rules. Our own
-- sessions encode the six high-volume types from Structs that were checked already, so the guard does not check these again
-- (docs/adr/0030); nor does it check what follows from other events (log.react). Which types a statement holds is noted in
-- elruso.types (sorted), and in elruso.children whether it creates tasks that depend on others: so a fold need not read
-- the batch to know that it has nothing to do. A statement may also say beforehand, in elruso.brings, that it brings
-- events of one type and no children: then folds that have to do with others are not even started (log.attach_folds).
-- The guard holds it to its word, and takes the word back.
CREATE FUNCTION log.guard_append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = log, pg_temp AS $$
DECLARE
    often  CONSTANT text[] := '{task.created,task.claimed,task.started,task.step,task.done,runner.heartbeat}';
    brings CONSTANT text := coalesce(current_setting('elruso.brings', true), '');
    managed CONSTANT boolean := coalesce(current_setting('elruso.managed', true), '') = 'on' OR pg_trigger_depth() > 1;
    said     record;
    types    text := '{' || brings || '}';
    known    boolean := true;
    offender record;
    noted    text;
BEGIN
    IF brings <> '' THEN
        noted := set_config('elruso.brings', '', true);
        noted := set_config('elruso.types', types, true);
        noted := set_config('elruso.children', 'false', true);
        IF managed AND brings IN ('task.created', 'task.claimed') AND NOT EXISTS (SELECT FROM batch b WHERE b.kind <> 'task' OR b.type <> brings OR b.at < statement_timestamp() OR b.at > clock_timestamp()
                       OR b.type = 'task.created' AND b.data->'depends_on' IS NOT NULL) THEN
            RETURN NULL;  -- the short way, for the statements that a wake-up waits for
        END IF;
    END IF;
    SELECT min(b.kind) AS kind, min(b.type) AS type, min(b.kind) = max(b.kind) AND min(b.type) = max(b.type) AS is_one, min(b.at) AS earliest,
           max(b.at) AS latest, bool_or(b.type = 'task.created' AND b.data->'depends_on' IS NOT NULL) AS children INTO said FROM batch b;
    IF said.is_one AND said.kind = 'task' AND said.type IN ('task.created', 'task.claimed', 'task.done') THEN  -- what comes all day
        types := '{' || said.type || '}';
    ELSE
        SELECT coalesce(array_agg(b.type ORDER BY b.type), '{}')::text,
               coalesce(bool_and(EXISTS (SELECT FROM transitions t WHERE t.type = b.type AND t.kind = b.kind)), true) INTO types, known
        FROM (SELECT kind, type FROM batch GROUP BY kind, type) b;
    END IF;
    IF NOT known OR said.earliest < '1970-01-01 00:00:00+00' OR said.latest > '9998-12-31 00:00:00+00' THEN
        SELECT b.type, b.kind, b.at INTO offender FROM batch b LEFT JOIN transitions t ON t.type = b.type AND t.kind = b.kind
        WHERE t.type IS NULL OR known AND b.at IN (said.earliest, said.latest) LIMIT 1;
        RAISE EXCEPTION 'malformed event % in a % stream at %: the type must be known and the time is the database''s to set',
            offender.type, offender.kind, offender.at USING ERRCODE = 'ER006';
    END IF;
    IF coalesce(current_setting('elruso.now', true), '') = '' AND (said.earliest < statement_timestamp() OR said.latest > clock_timestamp()) THEN
        RAISE EXCEPTION 'events at % … %: the time is the database''s to set', said.earliest, said.latest
            USING ERRCODE = 'ER008', HINT = 'leave `at` out; send it again if the clock of the server was set back';
    END IF;
    IF NOT managed AND EXISTS (SELECT FROM batch b WHERE b.seq <= current_setting('elruso.mark', true)::bigint OR b.seq > currval('events_seq_seq')) THEN
        RAISE EXCEPTION 'malformed event: its position in the log is the database''s to set' USING ERRCODE = 'ER006', HINT = 'leave seq out';
    END IF;
    IF NOT (managed AND types::text[] <@ often) THEN
        SELECT b.type, b.id, k.broken INTO offender
        FROM batch b JOIN rules e ON e.name = b.kind JOIN rules d ON d.name = b.type CROSS JOIN LATERAL (
            SELECT coalesce(broken_rule(json_build_object('id', b.id, 'actor', b.actor, 'cause', b.cause), e.rule, 'event'),
                            undecodable(b.data::jsonb), broken_rule(b.data, d.rule, 'data')) AS broken OFFSET 0) k
        WHERE NOT (managed AND b.type = ANY (often)) AND k.broken IS NOT NULL LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'malformed event % of %: %', offender.type, offender.id, offender.broken
                USING ERRCODE = 'ER006', HINT = 'docs/events.md says what each event holds';
        END IF;
    END IF;
    IF brings <> '' AND (brings NOT IN ('task.created', 'task.claimed') OR said.children OR types <> '{' || brings || '}') THEN
        RAISE EXCEPTION 'a statement that brings % said "%" beforehand; it may say task.created or task.claimed, if it brings nothing else and no children',
            types, brings USING ERRCODE = 'ER006', HINT = 'leave elruso.brings unset';
    END IF;
    noted := set_config('elruso.types', types, true);
    noted := set_config('elruso.children', coalesce(said.children, false)::text, true);
    RETURN NULL;
END $$;
-- The same notes for a rebuild, whose events the guard has seen long ago.
CREATE FUNCTION log.note_types() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    types text;
    noted text;
BEGIN
    SELECT coalesce(array_agg(b.type ORDER BY b.type), '{}')::text INTO types FROM (SELECT DISTINCT type FROM batch) b;
    noted := set_config('elruso.types', types, true);
    noted := set_config('elruso.children', (position('task.created' IN types) > 0)::text, true);  -- there may be some
    RETURN NULL;
END $$;

-- Commands on tasks in the queue and requeues lock more than their own streams, and do so first. Claims lock the row of
-- `ready` before they append, so whoever takes a task from the queue by another event locks that row before it appends,
-- too; claims then pass it by. A requeue looks at the task's parents, whose fall looks at the task: both lock the parent,
-- and whichever comes second sees the other. Parents are locked before the child, as a parent's end does. Children that
-- rise with the task have parents as well; they are locked in the same go, in order of id.
-- `ids`: the tasks of the command, `requeued`: those of them that are to be ready again.
CREATE FUNCTION log.lock_tasks(ids text[], requeued text[]) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET enable_hashjoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    locked bigint;
BEGIN
    PERFORM FROM unnest(ids) AS w (id) CROSS JOIN LATERAL (SELECT t.* FROM tasks t WHERE t.id = w.id AND t.status = 'ready' OFFSET 0) t
    JOIN ready r ON r.priority = t.priority AND r.position = t.position AND r.id = t.id ORDER BY r.id FOR UPDATE OF r;
    IF requeued <> '{}' THEN
        WITH RECURSIVE rising AS (
            SELECT w.id COLLATE "C" AS id FROM unnest(requeued) AS w (id)
          UNION
            SELECT c.id FROM rising r JOIN task_deps d ON d.parent = r.id JOIN tasks c ON c.id = d.child AND c.status = 'blocked' AND c.blocked_parent = r.id
        ), parents AS MATERIALIZED (
            SELECT d.parent AS id FROM rising r JOIN task_deps d ON d.child = r.id WHERE d.parent <> ALL (ids) EXCEPT SELECT r.id FROM rising r
        ), held AS MATERIALIZED (
            SELECT FROM parents w JOIN tasks p ON p.id = w.id AND p.status <> 'done' ORDER BY p.id FOR SHARE OF p
        )
        SELECT count(*) INTO locked FROM held;
    END IF;
    RETURN true;
END $$;

-- Who decides about directives and requests does so one at a time: what a directive may do depends on its requests, and its
-- tasks on both. Commands take this lock before they look; a statement of anybody else's takes it before it reacts.
CREATE FUNCTION log.lock_decisions() RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtext('elruso'), hashtext('decisions'))
$$;

-- Reactions: events that follow from events of other streams. Live only: a rebuild finds them in the log.
-- A waiting child of a parent that failed, was blocked or was cancelled is blocked too, and so on down; when that
-- parent is requeued, so are the children it had blocked.
CREATE FUNCTION log.react() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET enable_hashjoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    types CONSTANT text[] := current_setting('elruso.types');
BEGIN
    IF NOT types && '{task.failed,task.blocked,task.cancelled,task.requeued}' AND current_setting('elruso.children') = 'false' THEN
        RETURN NULL;
    END IF;
    IF 'task.requeued' = ANY (types) AND EXISTS (SELECT FROM batch b CROSS JOIN LATERAL (
            SELECT FROM task_deps d WHERE d.child = b.id UNION ALL SELECT FROM task_deps d WHERE d.parent = b.id) d WHERE b.type = 'task.requeued') THEN
        PERFORM lock_tasks(ARRAY(SELECT b.id FROM batch b), ARRAY(SELECT b.id FROM batch b WHERE b.type = 'task.requeued'));
    END IF;
    WITH RECURSIVE fallen AS (
        SELECT d.child, d.parent, b.seq AS cause
        FROM batch b JOIN task_deps d ON d.parent = b.id
        JOIN tasks p ON p.id = b.id AND p.status IN ('failed', 'blocked', 'cancelled')
        WHERE b.type IN ('task.failed', 'task.blocked', 'task.cancelled')
      UNION
        SELECT d.child, d.parent, b.seq
        FROM batch b JOIN task_deps d ON d.child = b.id
        JOIN tasks p ON p.id = d.parent AND p.status IN ('failed', 'blocked', 'cancelled')
        WHERE b.type IN ('task.created', 'task.requeued')
      UNION
        SELECT d.child, d.parent, f.cause
        FROM fallen f JOIN tasks t ON t.id = f.child AND t.status = 'ready' JOIN task_deps d ON d.parent = f.child
    )
    INSERT INTO events (kind, id, version, type, actor, cause, data)
    SELECT DISTINCT ON (c.id) 'task', c.id, c.version + 1, 'task.blocked', 'system', f.cause,
           json_build_object('reason', format('parent %s is %s', f.parent,
               CASE WHEN p.status = 'ready' THEN 'blocked' ELSE p.status || coalesce(': ' || p.last_error, '') END), 'parent', f.parent)
    FROM fallen f JOIN tasks c ON c.id = f.child AND c.status = 'ready' JOIN tasks p ON p.id = f.parent
    ORDER BY c.id, f.parent;

    WITH RECURSIVE risen AS (
        SELECT c.id, b.id AS parent, b.seq AS cause
        FROM batch b JOIN tasks p ON p.id = b.id AND p.status NOT IN ('failed', 'blocked', 'cancelled')  -- it may have gone on
        JOIN task_deps d ON d.parent = b.id
        JOIN tasks c ON c.id = d.child AND c.status = 'blocked' AND c.blocked_parent = b.id
        WHERE b.type = 'task.requeued'
      UNION
        SELECT c.id, r.id, r.cause
        FROM risen r JOIN task_deps d ON d.parent = r.id
        JOIN tasks c ON c.id = d.child AND c.status = 'blocked' AND c.blocked_parent = r.id
    )
    INSERT INTO events (kind, id, version, type, actor, cause, data)
    SELECT DISTINCT ON (c.id) 'task', c.id, c.version + 1, 'task.requeued', 'system', r.cause,
           json_build_object('reason', format('parent %s was requeued', r.parent))
    FROM risen r JOIN tasks c ON c.id = r.id
    ORDER BY c.id, r.parent;
    RETURN NULL;
END $$;
CREATE TRIGGER append_3_react AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch
    FOR EACH STATEMENT WHEN (coalesce(current_setting('elruso.brings', true), '') = '') EXECUTE FUNCTION log.react();

-- The task.created events of a directive, made from its proposal (events/directive.py, PlannedTask), in order.
CREATE FUNCTION log.planned_tasks(directive text, proposed bigint) RETURNS TABLE (id text, place bigint, data json) LANGUAGE sql STABLE
AS $$
    SELECT t.task->>'id', t.place, ((t.task::jsonb - 'id') || jsonb_build_object('directive_id', directive))::json
    FROM log.events e CROSS JOIN LATERAL json_array_elements(e.data->'tasks_to_create') WITH ORDINALITY AS t (task, place)
    WHERE e.seq = proposed
$$;

-- A directive whose tasks are all done is applied. One that is `auto` gets its tasks once nothing it requires is missing:
-- as it is proposed, or with the last credential. When one is rejected, tasks of it that the rejection could not see yet are
-- cancelled. Its row is locked before the rest is looked at, so of two last ones the second sees the first. What this
-- appends makes notes of its own (elruso.types, elruso.children); log.react comes after it and needs the statement's.
CREATE FUNCTION log.react_directives() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET jit = off AS $$
DECLARE
    types    CONSTANT text[] := current_setting('elruso.types');
    children CONSTANT text := current_setting('elruso.children');
    touched    text[];
    reason_seq bigint;
BEGIN
    IF NOT types && '{task.done,request.provided,directive.proposed,directive.rejected}' OR to_regclass('view.directives') IS NULL THEN
        RETURN NULL;  -- (null: the views of an older version, until they are rebuilt)
    END IF;
    IF types && '{request.provided,directive.proposed,directive.rejected}' THEN
        PERFORM lock_decisions();
    ELSIF NOT EXISTS (SELECT FROM directives WHERE status = 'PENDING') THEN
        RETURN NULL;
    END IF;
    SELECT max(seq) INTO reason_seq FROM batch WHERE type IN ('task.done', 'request.provided');
    SELECT array_agg(DISTINCT d.id) INTO touched FROM (
        SELECT t.directive_id AS id
        FROM batch b CROSS JOIN LATERAL (SELECT k.directive_id FROM tasks k WHERE k.id = b.id OFFSET 0) t WHERE b.type = 'task.done'
        UNION
        SELECT d.id FROM batch b JOIN directives d ON b.type = 'request.provided' AND d.status = 'PENDING' AND b.id = ANY (d.required)
        UNION
        SELECT b.id FROM batch b WHERE b.type = 'directive.proposed'
    ) d;
    PERFORM FROM directives d WHERE d.id = ANY (touched) AND d.status = 'PENDING' ORDER BY d.id FOR NO KEY UPDATE;

    IF 'task.done' = ANY (types) THEN
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'directive', d.id, d.version + 1, 'directive.applied', 'system', reason_seq, '{"reason":"all its tasks are done"}'
        FROM directives d
        WHERE d.id = ANY (touched) AND d.status = 'PENDING' AND cardinality(d.task_ids) > 0
          AND NOT EXISTS (SELECT FROM unnest(d.task_ids) AS i (id) LEFT JOIN tasks t ON t.id = i.id WHERE t.status IS DISTINCT FROM 'done')
        ORDER BY d.id;
    END IF;
    IF types && '{request.provided,directive.proposed}' THEN
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'task', p.id, 1, 'task.created', coalesce(b.actor, 'system'), coalesce(b.seq, reason_seq), p.data
        FROM directives d LEFT JOIN batch b ON b.type = 'directive.proposed' AND b.id = d.id CROSS JOIN LATERAL planned_tasks(d.id, d.proposed_seq) p
        WHERE d.id = ANY (touched) AND d.status = 'PENDING' AND d.approval = 'auto'
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = p.id)
          AND NOT EXISTS (SELECT FROM unnest(d.required) AS w (id) LEFT JOIN requests r ON r.id = w.id WHERE r.status IS DISTINCT FROM 'PROVIDED')
        ORDER BY d.proposed_seq, p.place;
    END IF;
    IF 'directive.rejected' = ANY (types) THEN
        PERFORM lock_tasks(d.task_ids, '{}') FROM batch b JOIN directives d ON d.id = b.id WHERE b.type = 'directive.rejected';
        INSERT INTO events (kind, id, version, type, actor, cause, data)
        SELECT 'task', t.id, t.version + 1, 'task.cancelled', b.actor, b.seq, json_build_object('reason', format('directive %s was rejected', d.id))
        FROM batch b JOIN directives d ON d.id = b.id JOIN tasks t ON t.id = ANY (d.task_ids) AND t.directive_id = d.id AND t.status IN ('ready', 'blocked')
        WHERE b.type = 'directive.rejected' ORDER BY t.id;
    END IF;
    PERFORM set_config('elruso.types', types::text, true), set_config('elruso.children', children, true);
    RETURN NULL;
END $$;
CREATE TRIGGER append_3_directives AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch
    FOR EACH STATEMENT WHEN (coalesce(current_setting('elruso.brings', true), '') = '') EXECUTE FUNCTION log.react_directives();

-- Whether a runner, or a run of a runner that never gave a sign of life, is silent for longer than that although its last sign
-- is dated in the future: the clock was set back since. Then not that date counts, but what was appended after it.
CREATE FUNCTION log.is_silent(runner text, run bigint, seconds double precision) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM log.events e
        WHERE e.seq > greatest(run, (SELECT b.seq FROM log.events b WHERE b.kind = 'runner' AND b.id = runner ORDER BY b.version DESC LIMIT 1))
          AND e.at < log.now() - seconds * interval '1 second')
$$;

-- Hangs the guard and the fold functions of a view schema on a table of events, in the order in which they were written
-- down: on log.events for the live views, on a rebuild's intake for the views being rebuilt.
CREATE FUNCTION log.attach_folds(target regclass, view_schema name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    fold record;
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER append_1_guard AFTER INSERT ON %s REFERENCING NEW TABLE AS batch FOR EACH STATEMENT '
                   'EXECUTE FUNCTION log.%I()', target, CASE WHEN target = 'log.events'::regclass THEN 'guard_append' ELSE 'note_types' END);
    FOR fold IN SELECT p.proname, lpad(row_number() OVER (ORDER BY p.oid)::text, 2, '0') AS place,
                       CASE p.proname WHEN 'fold_creations' THEN 'task.created' WHEN 'fold_claims' THEN 'task.claimed' ELSE '' END AS brought
                FROM pg_proc p WHERE p.pronamespace = view_schema::regnamespace AND p.proname LIKE 'fold\_%' ORDER BY p.oid LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER append_2_%s AFTER INSERT ON %s REFERENCING NEW TABLE AS batch FOR EACH STATEMENT '
                       'WHEN (coalesce(current_setting(''elruso.brings'', true), '''') IN ('''', %L)) EXECUTE FUNCTION %I.%I()',
                       fold.place, target, fold.brought, view_schema, fold.proname);
    END LOOP;
END $$;

-- Our own sessions say so when they connect, and send their hints after commit, from a connection of their own:
-- a NOTIFY inside a writing transaction would serialise every commit of the cluster.
CREATE FUNCTION log.wake_foreign() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = view, log, pg_temp SET enable_hashjoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    first_key text := (SELECT ',r:' || t.priority || ':' || t.position FROM (
            SELECT b.id FROM batch b WHERE b.kind = 'task'
            UNION ALL
            SELECT d.child FROM batch b JOIN task_deps d ON d.parent = b.id WHERE b.type = 'task.done') w
        CROSS JOIN LATERAL (SELECT * FROM tasks k WHERE k.id = w.id OFFSET 0) t
        WHERE t.status = 'ready' AND t.waiting_on = 0 ORDER BY t.priority, t.position LIMIT 1);
BEGIN
    PERFORM log.notify('elruso', '*' || coalesce(first_key, ''));
    RETURN NULL;
END $$;
CREATE TRIGGER append_9_wake AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch FOR EACH STATEMENT
    WHEN (current_setting('elruso.managed', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION log.wake_foreign();

-- One task without parents, and the word to the runners, in one round trip. The word leaves once the task is safe on
-- disk, in a transaction of its own: it writes nothing, so its commit waits for no disk and no replica. With seq and time
-- the caller knows all that the view has of a new task; the time is written as there.
CREATE PROCEDURE log.create_and_tell(id text, actor text, command_id uuid, data json, priority integer, channel text, INOUT seq bigint,
                                     INOUT at json DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    brings CONSTANT text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_tell.id, 1, brings, create_and_tell.actor, create_and_tell.data, create_and_tell.command_id)
    RETURNING e.seq, to_json(log.rfc3339(e.at)) INTO create_and_tell.seq, create_and_tell.at;
    COMMIT;
    PERFORM log.notify(channel, 'r:' || priority || ':' || create_and_tell.seq || ',e:' || create_and_tell.seq);
END $$;

-- One task that waits for nothing, handed to a runner that waits: created and claimed in one transaction, so both are safe
-- on disk after one flush, and nobody else can have seen it in between. It is handed over if a claim would find it first:
-- nothing that is ready from the key on comes before it, nothing is paused, the runner (JSON text) does not drain, and, if
-- it `insists`, no scheduled task fell due. Else it is created only, and run_id is null; whoever called tells the runners.
CREATE FUNCTION log.create_and_claim(id text, actor text, command_id uuid, data json, priority integer, runner text, claimant text,
                                     from_priority integer, from_position bigint, insists boolean,
                                     OUT seq bigint, OUT at json, OUT run_id bigint, OUT claimed_at json)
LANGUAGE plpgsql AS $$
DECLARE
    brings text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_claim.id, 1, brings, create_and_claim.actor, create_and_claim.data, create_and_claim.command_id)
    RETURNING e.seq, to_json(log.rfc3339(e.at)) INTO create_and_claim.seq, create_and_claim.at;
    IF EXISTS (SELECT FROM view.ready r WHERE (r.priority, r.position) >= (from_priority, from_position)
               AND (r.priority, r.position) < (create_and_claim.priority, create_and_claim.seq))
       OR EXISTS (SELECT FROM view.system s WHERE s.status = 'paused')
       OR EXISTS (SELECT FROM view.runners d WHERE d.id = runner::json #>> '{}' AND d.draining_since IS NOT NULL)
       OR insists AND EXISTS (SELECT FROM view.scheduled f WHERE f.due_at <= log.now()) THEN
        RETURN;
    END IF;
    brings := set_config('elruso.brings', 'task.claimed', true);
    INSERT INTO log.events AS e (kind, id, version, type, actor, cause, data)
    VALUES ('task', create_and_claim.id, 2, brings, claimant, create_and_claim.seq, ('{"runner":' || runner || ',"attempt":1}')::json)
    RETURNING e.seq, to_json(log.rfc3339(e.at)) INTO create_and_claim.run_id, create_and_claim.claimed_at;
END $$;

-- Stores an artifact of a run in flight, once: the event that ends the run carries its digest. The lock on the run's row
-- waits for an end under way, and an end waits for it, so what the end seals is what was stored before it. A runner of the
-- first El Ruso stores after the end: for a quarter of an hour that is taken, where the run has none of this kind, and
-- marked as late (docs/adr/0032). Answers
--
--     stored   it is there, now or from before with the same content
--     late     the same, but it came after the end
--     taken    the run has another content of this kind
--     ended    the run takes no more artifacts
--     unknown  there is no such run
CREATE FUNCTION log.store_artifact(run bigint, artifact_kind text, artifact text, before_commit text DEFAULT NULL, after_commit text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = log, pg_temp AS $$
DECLARE
    digest CONSTANT bytea := sha256(convert_to(artifact, 'UTF8'));
    in_flight boolean;
    known     bytea;
    is_late   boolean;
BEGIN
    PERFORM FROM view.running g WHERE g.run_id = run FOR KEY SHARE;
    in_flight := FOUND;
    IF in_flight THEN
        INSERT INTO artifacts (run_id, kind, content, sha256, before_sha, after_sha)
        VALUES (run, artifact_kind, artifact, digest, before_commit, after_commit) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN 'stored';
        END IF;
    ELSIF EXISTS (SELECT FROM view.ended_runs e WHERE e.id = run AND e.status IN ('done', 'failed') AND e.finished_at > log.now() - interval '15 minutes') THEN
        INSERT INTO artifacts (run_id, kind, content, sha256, before_sha, after_sha, late)
        VALUES (run, artifact_kind, artifact, digest, before_commit, after_commit, true) ON CONFLICT DO NOTHING;
    END IF;
    SELECT coalesce(a.sha256, sha256(convert_to(a.content, 'UTF8'))), a.late INTO known, is_late
    FROM artifacts a WHERE a.run_id = run AND a.kind = artifact_kind;
    RETURN CASE WHEN known = digest AND is_late THEN 'late' WHEN known = digest THEN 'stored' WHEN in_flight THEN 'taken'
                WHEN EXISTS (SELECT FROM view.ended_runs e WHERE e.id = run) THEN 'ended' ELSE 'unknown' END;
END $$;

-- The data of an event that ends a run, with the digests of the artifacts stored for it (events/task.py, Artifact).
CREATE FUNCTION log.seal_artifacts(data json, run bigint) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce((left(rtrim(data::text), -1) || ',"artifacts":' || json_agg(
               json_build_object('kind', a.kind, 'sha256', encode(coalesce(a.sha256, sha256(convert_to(a.content, 'UTF8'))), 'hex'),
                                 'size_bytes', octet_length(a.content)) ORDER BY a.kind)::text || '}')::json, data)
    FROM log.artifacts a WHERE a.run_id = run
$$;

-- A role for services that are not the owner: append and read, nothing else. It cannot log in by itself; grant it to
-- one that can. Creating roles may be forbidden on a managed server: then the owner runs the service.
DO $$ BEGIN
    CREATE ROLE elruso_service NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END $$;
DO $$ BEGIN
    IF to_regrole('elruso_service') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA log TO elruso_service;
        GRANT SELECT ON ALL TABLES IN SCHEMA log TO elruso_service;
        GRANT INSERT ON log.events, log.output, log.runner_ids TO elruso_service;
        GRANT INSERT, DELETE, UPDATE (last_used_at) ON log.sessions TO elruso_service;
        GRANT INSERT, UPDATE, DELETE ON log.planner_progress TO elruso_service;
    END IF;
END $$;

-- ===== view =====
--
-- Everything below is derived. It is executed with search_path set to the schema it is to live in (`view`, or, during
-- a rebuild, one beside it), which is why its names are not qualified; `SET search_path FROM CURRENT` fixes each
-- function to the schema it was born in.

-- One row per task: what changes about it. What was asked for stays in the log, at `created_seq`.
-- No index covers a column that transitions change, so every transition is a heap-only (HOT) update. Three
-- fifths of a page are left free, because one batch of claims moves whole pages at once, each row a little wider than it
-- was, and their old versions go only afterwards.
CREATE TABLE tasks (
    id              text COLLATE "C" PRIMARY KEY,
    created_seq     bigint NOT NULL,
    position        bigint NOT NULL,               -- seq that made it ready last: claim order among equals
    ready_at        timestamptz NOT NULL,          -- since when it could run, its parents permitting
    run_id          bigint,                        -- the current run, while there is one
    created_at      timestamptz NOT NULL,
    claimed_at      timestamptz,
    started_at      timestamptz,
    finished_at     timestamptz,
    next_run_at     timestamptz,
    timeout_seconds double precision,
    version         integer NOT NULL,
    waiting_on      integer NOT NULL DEFAULT 0,    -- parents that are not done
    attempts        integer NOT NULL DEFAULT 0,
    max_attempts    integer NOT NULL,
    priority        smallint NOT NULL,             -- 0 is the most urgent
    status          text COLLATE "C" NOT NULL CHECK (status IN ('ready', 'running', 'done', 'failed', 'blocked', 'cancelled')),
    task_type       text COLLATE "C" NOT NULL,
    phase           text COLLATE "C",
    directive_id    text COLLATE "C",
    claimed_by      text COLLATE "C",
    blocked_parent  text COLLATE "C",              -- the task whose end blocked this one, while it does
    last_error      text,
    title           text NOT NULL,
    CONSTRAINT a_run_while_running CHECK ((status = 'running') = (run_id IS NOT NULL)),
    CONSTRAINT finished_says_when CHECK (status NOT IN ('done', 'failed', 'cancelled') OR finished_at IS NOT NULL)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);
CREATE INDEX tasks_by_creation ON tasks (created_seq);
CREATE INDEX tasks_by_directive ON tasks (directive_id, created_seq) WHERE directive_id IS NOT NULL;

-- Two indexes of `tasks` that are tables, because the claim must find its work in the first row it looks at.
-- ready: claimable now. scheduled: ready, but not before due_at.
CREATE TABLE ready (
    priority smallint NOT NULL,
    position bigint NOT NULL,
    id       text COLLATE "C" NOT NULL,
    PRIMARY KEY (priority, position, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.5);
CREATE TABLE scheduled (
    due_at   timestamptz NOT NULL,
    id       text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (due_at, id)
);

-- Two lists for readers, of what is rare: looked for here, it need not be looked for in all of history. No hot statement
-- writes to them. aside: tasks that are neither in the queue nor in flight nor done by a run. lost_runs: those that did not end well.
CREATE TABLE aside (
    why         text COLLATE "C" NOT NULL CHECK (why IN ('waiting', 'failed', 'blocked', 'cancelled', 'done')),  -- waiting: for parents; done: without a run
    created_seq bigint NOT NULL,
    id          text COLLATE "C" NOT NULL,
    PRIMARY KEY (why, created_seq, id)
);
CREATE TABLE lost_runs (
    status text COLLATE "C" NOT NULL CHECK (status IN ('failed', 'requeued', 'blocked', 'cancelled')),
    id     bigint NOT NULL,
    PRIMARY KEY (status, id)
);

CREATE TABLE task_deps (
    parent text COLLATE "C" NOT NULL,
    child  text COLLATE "C" NOT NULL,
    PRIMARY KEY (parent, child)
);
CREATE INDEX task_deps_by_child ON task_deps (child);

-- Runs: the id of one is the seq of the claim that began it. In flight a run is a row of `running`, of its task `id`; as it
-- ends it moves to `ended_runs`, where it is written once and never again. Who looks for a run by its id looks at both (`runs`).
-- A list reads so many ended ones first, and of `running` only what lies between them: it passes no more dead rows than those.
CREATE TABLE running (
    run_id     bigint PRIMARY KEY,
    id         text COLLATE "C" NOT NULL,
    runner     text COLLATE "C" NOT NULL,
    attempt    integer NOT NULL,
    claimed_at timestamptz NOT NULL,
    started_at timestamptz,
    branch      text,
    commit_hash text
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE ended_runs (
    id          bigint PRIMARY KEY,
    task_id     text COLLATE "C" NOT NULL,
    runner      text COLLATE "C" NOT NULL,
    attempt     integer NOT NULL,
    status      text COLLATE "C" NOT NULL CHECK (status IN ('done', 'failed', 'requeued', 'blocked', 'cancelled')),
    claimed_at  timestamptz NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz NOT NULL,
    duration_ms bigint,                            -- by the runner's monotonic clock
    branch      text,
    commit_hash text,
    summary     text,
    error       text
);
CREATE VIEW runs AS
    SELECT id, task_id, runner, attempt, status, claimed_at, started_at, finished_at, duration_ms, branch, commit_hash, summary, error
    FROM ended_runs
  UNION ALL
    SELECT run_id, id, runner, attempt, 'running', claimed_at, started_at, NULL, NULL, branch, commit_hash, NULL, NULL FROM running;

CREATE TABLE steps (
    run_id         bigint NOT NULL,
    number         integer NOT NULL,
    name           text NOT NULL,
    cmd            text,
    exit_code      integer,
    duration_ms    bigint,
    output_excerpt text,
    output_bytes   bigint NOT NULL,
    truncated      boolean NOT NULL,
    error          text,
    at             timestamptz NOT NULL,
    PRIMARY KEY (run_id, number)
);

CREATE TABLE file_changes (
    run_id       bigint NOT NULL,
    path         text COLLATE "C" NOT NULL,
    change       text NOT NULL,
    added        integer,                          -- null: binary
    removed      integer,
    renamed_from text
);
CREATE INDEX file_changes_by_run ON file_changes (run_id);  -- not by path: one is longer than an index entry can be

CREATE TABLE runners (
    id           text COLLATE "C" PRIMARY KEY,
    version      integer NOT NULL,
    status       text COLLATE "C" NOT NULL CHECK (status IN ('alive', 'stopped')),
    started_at   timestamptz,
    last_seen_at timestamptz NOT NULL,             -- by its own events: what an operator says of it is no sign of life
    stopped_at   timestamptz,
    draining_since  timestamptz,                   -- nothing is handed to it; ended by runner.resumed and runner.started
    draining_by     text,
    draining_reason text,
    meta         json NOT NULL,
    -- Who is there is found among those of this hour, however many have ever been; heartbeats stay heap-only but for one an hour.
    seen_hour    timestamptz NOT NULL GENERATED ALWAYS AS (date_bin('1 hour', last_seen_at, timestamptz '1970-01-01 00:00:00+00')) STORED
) WITH (fillfactor = 50);
CREATE INDEX runners_by_hour ON runners (seen_hour, id);

-- Credentials that were asked for: all that is known of them but their values.
CREATE TABLE requests (
    id          text COLLATE "C" PRIMARY KEY,
    version     integer NOT NULL,
    status      text COLLATE "C" NOT NULL CHECK (status IN ('WAITING', 'PROVIDED', 'WITHDRAWN')),
    definition  json,                              -- null: whoever asked for it does not know what it is
    reason      text,
    place       text,                              -- where the values were put
    opened_at   timestamptz NOT NULL,
    provided_at timestamptz,
    provided_by text,
    changed_at  timestamptz NOT NULL,
    changed_by  text NOT NULL,
    CONSTRAINT provided_says_when CHECK (status <> 'PROVIDED' OR provided_at IS NOT NULL)
);

CREATE TABLE system (
    id         text COLLATE "C" PRIMARY KEY,
    version    integer NOT NULL,
    status     text COLLATE "C" NOT NULL CHECK (status IN ('paused', 'active')),
    reason     text,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);

-- What is proposed and what was decided about it. The proposal itself stays in the log, at `proposed_seq`.
CREATE TABLE directives (
    id           text COLLATE "C" PRIMARY KEY,
    version      integer NOT NULL,
    status       text COLLATE "C" NOT NULL CHECK (status IN ('PENDING', 'APPLIED', 'REJECTED')),
    title        text NOT NULL,
    digest       text COLLATE "C" NOT NULL,
    approval     text COLLATE "C" NOT NULL CHECK (approval IN ('auto', 'manual')),
    planner_run  text COLLATE "C",
    task_ids     text[] COLLATE "C" NOT NULL,
    required     text[] COLLATE "C" NOT NULL,      -- requests without which it is not applied
    proposed_seq bigint NOT NULL,
    proposed_at  timestamptz NOT NULL,
    proposed_by  text NOT NULL,
    decided_seq  bigint,
    decided_at   timestamptz,
    decided_by   text,
    reason       text,
    CONSTRAINT decided_says_when CHECK ((status = 'PENDING') = (decided_at IS NULL))
);
CREATE INDEX directives_by_proposal ON directives (proposed_seq);
CREATE INDEX directives_by_status ON directives (status, proposed_seq);
CREATE INDEX directives_pending ON directives (digest) WHERE status = 'PENDING';

-- One row per run of the planner that has ended. `cost` is in dollars.
CREATE TABLE planner_runs (
    id                text COLLATE "C" PRIMARY KEY,
    version           integer NOT NULL,
    status            text COLLATE "C" NOT NULL CHECK (status IN ('completed', 'failed')),
    seq               bigint NOT NULL,
    outcome           text NOT NULL,
    error             text,
    model             text NOT NULL,
    environment       text NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost              double precision NOT NULL,
    duration_ms       bigint NOT NULL,
    rounds            integer NOT NULL,
    directives        integer NOT NULL,
    tasks             integer NOT NULL,
    refused           integer NOT NULL,
    ended_at          timestamptz NOT NULL,
    started_by        text NOT NULL
);
CREATE INDEX planner_runs_by_seq ON planner_runs (seq);
CREATE INDEX planner_runs_by_status ON planner_runs (status, seq);
CREATE INDEX planner_runs_by_end ON planner_runs (ended_at);

-- Counts, sharded by session and time so that writers do not queue for one row; a reader adds the shards up.
CREATE TABLE task_counts (
    shard     integer PRIMARY KEY,
    ready     bigint NOT NULL DEFAULT 0,
    running   bigint NOT NULL DEFAULT 0,
    done      bigint NOT NULL DEFAULT 0,
    failed    bigint NOT NULL DEFAULT 0,
    blocked   bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO task_counts (shard) SELECT generate_series(0, 31);

-- Ended runs per five minutes, for "the last 24 hours" without reading history.
CREATE TABLE run_counts (
    bucket timestamptz NOT NULL,
    shard  integer NOT NULL,
    ended  bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (bucket, shard)
) WITH (fillfactor = 50);

-- A session takes the next shard every minute: while a forgotten transaction keeps dead rows, an update passes all the
-- versions that its row has had. The two sessions of a rebuild must not meet in one: they say which they take.
CREATE FUNCTION counter_shard() RETURNS integer LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('elruso.shard', true), '')::bigint, pg_backend_pid() + extract(epoch FROM now())::bigint / 60) % 32;

-- What an event says within the limits that events have today (events/limits.py): older ones said more, and are read as the
-- nearest value within them, here and by events/tolerant.py. So neither a claim nor a sweep nor a reader meets what it
-- cannot count with or show.
CREATE FUNCTION priority_of(said smallint) RETURNS smallint LANGUAGE sql IMMUTABLE
RETURN least(greatest(coalesce(said, 100::smallint), 0::smallint), 1000::smallint);
CREATE FUNCTION max_attempts_of(said integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN least(greatest(coalesce(said, 4), 1), 100);
CREATE FUNCTION attempts_of(said integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN least(greatest(said, 0), 1000000);
CREATE FUNCTION timeout_of(said double precision) RETURNS double precision LANGUAGE sql IMMUTABLE
RETURN CASE WHEN said IS NOT NULL THEN least(greatest(said, 0.001), 31536000) END;
CREATE FUNCTION moment_of(said timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN CASE WHEN said IS NOT NULL THEN least(greatest(said, '1970-01-01 00:00:00+00'::timestamptz), '9998-12-31 00:00:00+00'::timestamptz) END;

-- Whether the statement holds events whose type has this in it, from the guard's note: '{task.done,task.started}'.
CREATE FUNCTION holds(part text) RETURNS boolean LANGUAGE sql STABLE RETURN position(part IN current_setting('elruso.types')) > 0;
-- Whether the statement is one that the folds for hot statements keep to themselves.
CREATE FUNCTION is_hot() RETURNS boolean LANGUAGE sql STABLE RETURN
    current_setting('elruso.types') IN ('{task.created}', '{task.claimed}', '{task.started}', '{task.done}', '{task.done,task.started}');

-- Says why a batch of task events was refused: the first event that does not follow from its task.
CREATE FUNCTION refuse_task(event_id text, event_type text, event_version integer, event_run bigint, events bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    task tasks%ROWTYPE;
BEGIN
    SELECT * INTO task FROM tasks WHERE tasks.id = event_id;
    IF event_version <> coalesce(task.version, 0) + 1 THEN
        RAISE EXCEPTION 'task %: % would be version %, but the task is at version %', event_id, event_type, event_version, coalesce(task.version, 0)
            USING ERRCODE = 'ER001', HINT = 'read the task again and decide anew';
    ELSIF NOT EXISTS (SELECT FROM log.transitions t WHERE t.type = event_type AND coalesce(task.status, '') = ANY (t.sources)) THEN
        RAISE EXCEPTION 'task %: % is not possible while the task is %', event_id, event_type, coalesce(task.status, 'unknown')
            USING ERRCODE = 'ER002';
    ELSIF event_run IS DISTINCT FROM task.run_id THEN
        RAISE EXCEPTION 'task %: run % is not its current run (%)', event_id, event_run, task.run_id USING ERRCODE = 'ER003';
    ELSIF event_type = 'task.claimed' AND task.waiting_on > 0 THEN
        RAISE EXCEPTION 'task %: it waits for % task(s) that are not done', event_id, task.waiting_on USING ERRCODE = 'ER002';
    ELSIF events > 1 THEN
        RAISE EXCEPTION 'task %: its % events do not follow from one another', event_id, events USING ERRCODE = 'ER002';
    END IF;
    RAISE EXCEPTION 'task %: another writer changed it at the same moment', event_id USING ERRCODE = 'ER001', HINT = 'send it again';
END $$;

-- Four folds keep the tasks and the tables that index them. Statements that do nothing but create, nothing but claim or
-- nothing but say that runs began and ended well are the hot ones and have folds of their own; whatever else a statement
-- holds goes through fold_tasks, which could do all of it. A rebuild mixes what was apart when it was live, and must come
-- to the same rows.

-- Statements that only create tasks.
CREATE TYPE definition AS (title text, phase text, directive_id text, task_type text, priority smallint, max_attempts integer,
                           timeout_seconds double precision, depends_on json, next_run_at timestamptz);
CREATE FUNCTION fold_creations() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    expected bigint;
    folded   bigint;
    bad      record;
BEGIN
    IF current_setting('elruso.types') <> '{task.created}' THEN
        RETURN NULL;
    END IF;
    WITH created AS (
        INSERT INTO tasks (id, created_seq, position, ready_at, created_at, next_run_at, timeout_seconds, version, waiting_on,
                           max_attempts, priority, status, task_type, phase, directive_id, title)
        SELECT b.id, b.seq, b.seq, greatest(b.at, moment_of((d).next_run_at)), b.at, moment_of((d).next_run_at), timeout_of((d).timeout_seconds), 1,
               coalesce(json_array_length((d).depends_on), 0), max_attempts_of((d).max_attempts), priority_of((d).priority), 'ready',
               coalesce((d).task_type, 'generic'), (d).phase, (d).directive_id, (d).title
        FROM (SELECT id, seq, at, json_populate_record(NULL::definition, data) AS d FROM batch WHERE version = 1 OFFSET 0) b
        RETURNING id, priority, position, waiting_on, next_run_at
    ), entered_ready AS (
        INSERT INTO ready (priority, position, id)
        SELECT priority, position, id FROM created WHERE waiting_on = 0 AND next_run_at IS NULL
    ), entered_scheduled AS (
        INSERT INTO scheduled (due_at, id, priority, position)
        SELECT next_run_at, id, priority, position FROM created WHERE waiting_on = 0 AND next_run_at IS NOT NULL
    ), counted AS (
        UPDATE task_counts SET ready = ready + (SELECT count(*) FROM created) WHERE shard = counter_shard()
    )
    SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM created) INTO expected, folded;
    IF folded <> expected THEN
        SELECT b.id, b.type, b.version INTO bad FROM batch b WHERE b.version <> 1 ORDER BY b.id, b.version LIMIT 1;
        PERFORM refuse_task(bad.id, bad.type, bad.version, NULL, 1);
    END IF;
    RETURN NULL;
END $$;

-- Statements that only claim tasks.
CREATE FUNCTION fold_claims() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    live CONSTANT boolean := TG_TABLE_NAME = 'events';
    expected bigint;
    folded   bigint;
    moved    boolean;
    bad      record;
BEGIN
    IF current_setting('elruso.types') <> '{task.claimed}' THEN
        RETURN NULL;
    END IF;
    WITH matched AS MATERIALIZED (
        SELECT b.id, b.seq, b.at, b.version, b.data->>'runner' AS runner, (b.data->>'attempt')::integer AS attempt,
               o.place, o.ready_place, o.scheduled_place
        FROM batch b CROSS JOIN LATERAL (
            SELECT t.ctid AS place,
                   (SELECT r.ctid FROM ready r WHERE r.priority = t.priority AND r.position = t.position AND r.id = t.id) AS ready_place,
                   CASE WHEN t.next_run_at IS NOT NULL THEN (SELECT s.ctid FROM scheduled s
                       WHERE s.due_at = t.next_run_at AND s.id = t.id) END AS scheduled_place
            FROM tasks t WHERE t.id = b.id OFFSET 0) o
        ORDER BY b.id
    ), changed AS (
        UPDATE tasks t SET version = m.version, status = 'running', run_id = m.seq, attempts = attempts_of(coalesce(m.attempt, t.attempts)),
            claimed_by = m.runner, claimed_at = m.at, started_at = NULL, finished_at = NULL, next_run_at = NULL
        FROM matched m
        WHERE t.ctid = m.place AND t.version = m.version - 1 AND t.status = 'ready' AND (t.waiting_on = 0 OR NOT live)
        RETURNING t.id, t.run_id, t.claimed_by, t.attempts, t.claimed_at
    ), left_ready AS (
        DELETE FROM ready WHERE ctid = ANY (ARRAY(SELECT m.ready_place FROM matched m))
    ), left_scheduled AS (
        DELETE FROM scheduled s USING matched m WHERE m.scheduled_place IS NOT NULL AND s.ctid = m.scheduled_place RETURNING 1
    ), began AS (  -- a rebuild leaves the runs to fold_runs
        INSERT INTO running (run_id, id, runner, attempt, claimed_at)
        SELECT c.run_id, c.id, c.claimed_by, c.attempts, c.claimed_at FROM changed c WHERE live
    ), counted AS (
        UPDATE task_counts SET ready = ready - n.number, running = running + n.number
        FROM (SELECT count(*) AS number FROM changed) n WHERE shard = counter_shard() AND n.number > 0
    )
    SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM changed),
           (SELECT count(m.scheduled_place) FROM matched m) <> (SELECT count(*) FROM left_scheduled) INTO expected, folded, moved;
    IF folded <> expected THEN
        SELECT b.id, b.type, b.version INTO bad FROM batch b LEFT JOIN tasks t ON t.id = b.id AND t.run_id = b.seq
        WHERE t.id IS NULL ORDER BY b.id, b.version LIMIT 1;
        PERFORM refuse_task(bad.id, bad.type, bad.version, NULL, 1);
    END IF;
    IF moved THEN  -- between this statement's look and its turn
        RAISE EXCEPTION 'a task of this statement fell due at the same moment' USING ERRCODE = 'ER001', HINT = 'send it again';
    END IF;
    RETURN NULL;
END $$;

-- Statements that only say that runs began and ended well. With at most one event of each sort, those of a task follow
-- from one another if their versions do and the end, where there is one, comes last by version and by seq. A statement
-- with more than that, or with an end of no run, is left to the general folds.
CREATE TYPE result AS (run_id bigint, duration_ms bigint, branch text, commit_hash text, summary text, file_changes json);
CREATE FUNCTION fold_endings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    live CONSTANT boolean := TG_TABLE_NAME = 'events';
    simple   boolean;
    expected bigint;
    folded   bigint;
    bad      record;
BEGIN
    IF current_setting('elruso.types') NOT IN ('{task.started}', '{task.done}', '{task.done,task.started}') THEN
        RETURN NULL;
    END IF;
    WITH said AS (
        SELECT id, seq, version, at, type = 'task.done' AS ends, json_populate_record(NULL::result, data) AS d FROM batch OFFSET 0
    ), net AS MATERIALIZED (
        SELECT s.id, min(s.version) AS first_version, max(s.version) AS version, max(s.at) FILTER (WHERE NOT s.ends) AS started_at,
               max(s.at) FILTER (WHERE s.ends) AS ended_at, max((s.d).branch) FILTER (WHERE NOT s.ends) AS first_branch,
               max((s.d).commit_hash) FILTER (WHERE NOT s.ends) AS first_commit,
               min((s.d).run_id) AS run_id, max((s.d).duration_ms) FILTER (WHERE s.ends) AS duration_ms,
               max((s.d).branch) FILTER (WHERE s.ends) AS branch, max((s.d).commit_hash) FILTER (WHERE s.ends) AS commit_hash,
               max((s.d).summary) FILTER (WHERE s.ends) AS summary,
               count(*) FILTER (WHERE NOT s.ends) <= 1 AND count(*) FILTER (WHERE s.ends) <= 1 AND count((s.d).run_id) = count(*) AS simple,
               max(s.version) - min(s.version) + 1 = count(*) AND min((s.d).run_id) = max((s.d).run_id)
                   AND coalesce(max(s.version) FILTER (WHERE s.ends) = max(s.version) AND max(s.seq) FILTER (WHERE s.ends) = max(s.seq), true) AS legal
        FROM said s GROUP BY s.id
    ), matched AS MATERIALIZED (
        SELECT n.*, (SELECT t.ctid FROM tasks t WHERE t.id = n.id) AS place, g.*
        FROM net n LEFT JOIN LATERAL (
            SELECT k.ctid AS run_place, k.runner, k.attempt, k.claimed_at, k.started_at AS begun_at, k.branch AS begun_branch, k.commit_hash AS begun_commit
            FROM running k WHERE k.run_id = n.run_id AND live OFFSET 0) g ON true  -- a rebuild leaves the runs to fold_runs
        WHERE (SELECT bool_and(k.simple) FROM net k)
        ORDER BY n.id
    ), changed AS (
        UPDATE tasks t SET version = m.version, status = CASE WHEN m.ended_at IS NULL THEN t.status ELSE 'done' END,
            run_id = CASE WHEN m.ended_at IS NULL THEN t.run_id END, started_at = coalesce(m.started_at, t.started_at),
            finished_at = m.ended_at, last_error = CASE WHEN m.ended_at IS NULL THEN t.last_error END
        FROM matched m
        WHERE t.ctid = m.place AND t.version = m.first_version - 1 AND t.status = 'running' AND t.run_id = m.run_id AND m.legal
        RETURNING t.status
    ), started AS (
        UPDATE running g SET started_at = m.started_at, branch = coalesce(m.first_branch, g.branch), commit_hash = coalesce(m.first_commit, g.commit_hash)
        FROM matched m WHERE m.ended_at IS NULL AND g.ctid = m.run_place
    ), left_running AS (
        DELETE FROM running WHERE ctid = ANY (ARRAY(SELECT m.run_place FROM matched m WHERE m.ended_at IS NOT NULL))
    ), ended AS (
        INSERT INTO ended_runs (id, task_id, runner, attempt, status, claimed_at, started_at, finished_at, duration_ms, branch, commit_hash, summary)
        SELECT m.run_id, m.id, m.runner, m.attempt, 'done', m.claimed_at, coalesce(m.started_at, m.begun_at), m.ended_at, m.duration_ms,
               coalesce(m.branch, m.first_branch, m.begun_branch), coalesce(m.commit_hash, m.first_commit, m.begun_commit), m.summary
        FROM matched m WHERE m.ended_at IS NOT NULL AND m.run_place IS NOT NULL
    ), counted AS (
        UPDATE task_counts SET running = running - n.number, done = done + n.number
        FROM (SELECT count(*) AS number FROM changed c WHERE c.status = 'done') n WHERE shard = counter_shard() AND n.number > 0
        RETURNING 1
    ), tallied AS (
        INSERT INTO run_counts AS c (bucket, shard, ended, failed)
        SELECT date_bin('5 minutes', m.ended_at, 'epoch'), counter_shard(), count(*), 0
        FROM matched m WHERE m.ended_at IS NOT NULL AND m.run_place IS NOT NULL
          AND (SELECT count(*) FROM counted) >= 0  -- asked, so that the two counters are locked in this order, here as elsewhere
        GROUP BY 1 ORDER BY 1
        ON CONFLICT (bucket, shard) DO UPDATE SET ended = c.ended + excluded.ended
    )
    SELECT n.simple, n.expected, c.folded INTO simple, expected, folded
    FROM (SELECT bool_and(net.simple) AS simple, count(*) AS expected FROM net) n, (SELECT count(*) AS folded FROM changed) c;
    IF NOT simple THEN
        PERFORM set_config('elruso.types', '{task.done,task.started,again}', true);
        RETURN NULL;
    END IF;
    IF folded <> expected THEN
        SELECT b.id, b.type, b.version, (b.data->>'run_id')::bigint AS run_id, last.events INTO bad
        FROM (SELECT id, max(version) AS version, count(*) AS events FROM batch GROUP BY id) last
        LEFT JOIN tasks t ON t.id = last.id JOIN batch b ON b.id = last.id
        WHERE t.version IS DISTINCT FROM last.version ORDER BY b.id, b.version LIMIT 1;
        PERFORM refuse_task(bad.id, bad.type, bad.version, bad.run_id, bad.events);
    END IF;
    RETURN NULL;
END $$;

-- Every other statement.
--
-- `line`    each event with its arrow and the run it names
-- `chain`   beside the event before it in its stream, if that is in the batch too: is the step from one to the other legal?
-- `net`     per stream: the status it ends in and what the last event of each sort said. Within a stream `ready` is
--           only ever entered by created or requeued (prioritized stays in it), `running` by claimed, so the status
--           decides most columns.
-- `matched` beside the task as it was before. Then one INSERT, one UPDATE that carries the guard, and the key tables.
CREATE FUNCTION fold_tasks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    live CONSTANT boolean := TG_TABLE_NAME = 'events';
    expected bigint;
    folded   bigint;
    moved    boolean;
    delta    bigint[];
    bad      record;
BEGIN
    IF NOT holds('task.') OR is_hot() THEN
        RETURN NULL;
    END IF;
    WITH line AS (
        SELECT b.id, b.seq, b.version, b.at, b.type, b.data, r.target, r.sources,
               r.target = 'running' AS runs, CASE WHEN b.type NOT IN ('task.created', 'task.claimed') THEN (b.data->>'run_id')::bigint END AS run_id,
               CASE b.type WHEN 'task.claimed' THEN attempts_of((b.data->>'attempt')::integer)
                           WHEN 'task.requeued' THEN CASE WHEN b.data->>'attempts' IS NOT NULL THEN attempts_of((b.data->>'attempts')::integer) END END AS attempts,
               CASE b.type WHEN 'task.failed' THEN b.data->>'error' WHEN 'task.blocked' THEN b.data->>'reason'
                           WHEN 'task.requeued' THEN b.data->>'last_error' END AS error
        FROM batch b JOIN log.transitions r ON r.type = b.type
        WHERE b.kind = 'task'
    ), chain AS (
        SELECT l.*, row_number() OVER w = 1 AS is_last, lead(l.target) OVER w AS prior_status, lead(l.seq) OVER w AS prior_seq,
               lead(CASE WHEN l.type = 'task.claimed' THEN l.seq WHEN l.runs THEN l.run_id END) OVER w AS prior_run
        FROM line l WINDOW w AS (PARTITION BY l.id ORDER BY l.version DESC)
    ), net AS (
        SELECT c.id, min(c.version) AS first_version, max(c.version) AS version,
               max(c.at) FILTER (WHERE c.is_last) AS at,  -- not the latest: a clock may be set back
               max(c.target) FILTER (WHERE c.is_last) AS status,
               max(c.data::text) FILTER (WHERE c.is_last AND c.type IN ('task.created', 'task.requeued', 'task.blocked'))::json AS last_data,
               min(c.type) FILTER (WHERE c.prior_status IS NULL) AS first_type,
               min(c.sources) FILTER (WHERE c.prior_status IS NULL) AS first_sources,
               min(c.run_id) FILTER (WHERE c.prior_status IS NULL) AS first_run,
               max(c.version) - min(c.version) + 1 = count(*)
                   AND bool_and(c.prior_status IS NULL OR (c.prior_status = ANY (c.sources) AND c.run_id IS NOT DISTINCT FROM c.prior_run
                                AND c.prior_seq < c.seq)) AS legal,
               max(c.seq) FILTER (WHERE c.type = 'task.created') AS created_seq,
               max(c.data::text) FILTER (WHERE c.type = 'task.created')::json AS creation,
               max(c.at) FILTER (WHERE c.type = 'task.created') AS created_at,
               max(c.seq) FILTER (WHERE c.type = 'task.claimed') AS claim_seq,
               (array_agg(c.at) FILTER (WHERE c.type = 'task.claimed'))[1] AS claimed_at,
               (array_agg(c.data->>'runner') FILTER (WHERE c.type = 'task.claimed'))[1] AS claimed_by,
               max(c.seq) FILTER (WHERE c.type = 'task.started') AS start_seq,
               (array_agg(c.at) FILTER (WHERE c.type = 'task.started'))[1] AS started_at,
               max(c.seq) FILTER (WHERE c.type IN ('task.created', 'task.requeued')) AS ready_seq,
               (array_agg(greatest(c.at, moment_of((c.data->>'next_run_at')::timestamptz))) FILTER (WHERE c.type IN ('task.created', 'task.requeued')))[1] AS ready_at,
               moment_of((array_agg(c.data->>'next_run_at') FILTER (WHERE c.type IN ('task.created', 'task.requeued')))[1]::timestamptz) AS due_at,
               (array_agg(priority_of((c.data->>'priority')::smallint)) FILTER (WHERE c.type = 'task.prioritized'))[1] AS priority,
               (array_agg(c.attempts) FILTER (WHERE c.attempts IS NOT NULL))[1] AS attempts,
               (array_agg(c.error) FILTER (WHERE c.error IS NOT NULL))[1] AS error
        FROM chain c GROUP BY c.id
    ), matched AS MATERIALIZED (
        SELECT n.*, o.place, o.status AS old_status, o.ready_place, o.scheduled_place,
               CASE WHEN n.status = 'ready' THEN CASE WHEN n.ready_seq IS NULL THEN o.next_run_at ELSE n.due_at END END AS next_run_at,
               CASE WHEN n.status = 'blocked' THEN n.last_data->>'parent' END AS blocked_parent,
               CASE WHEN n.status NOT IN ('ready', 'running') THEN n.at END AS finished_at
        FROM net n LEFT JOIN LATERAL (
            SELECT t.ctid AS place, t.status, t.next_run_at,
                   CASE WHEN t.status = 'ready' THEN (SELECT r.ctid FROM ready r  -- a scheduled one too, once it fell due
                       WHERE r.priority = t.priority AND r.position = t.position AND r.id = t.id) END AS ready_place,
                   CASE WHEN t.status = 'ready' AND t.next_run_at IS NOT NULL THEN (SELECT s.ctid FROM scheduled s
                       WHERE s.due_at = t.next_run_at AND s.id = t.id) END AS scheduled_place
            FROM tasks t WHERE t.id = n.id AND n.first_type <> 'task.created' OFFSET 0) o ON true
        ORDER BY n.id
    ), created AS (
        INSERT INTO tasks (id, created_seq, position, ready_at, run_id, created_at, claimed_at, started_at, finished_at, next_run_at,
                           timeout_seconds, version, waiting_on, attempts, max_attempts, priority, status, task_type, phase,
                           directive_id, claimed_by, blocked_parent, last_error, title)
        SELECT m.id, m.created_seq, m.ready_seq, m.ready_at, CASE WHEN m.status = 'running' THEN m.claim_seq END, m.created_at, m.claimed_at,
               CASE WHEN m.start_seq > m.claim_seq THEN m.started_at END, m.finished_at, m.next_run_at, timeout_of(d.timeout_seconds), m.version,
               coalesce(json_array_length(d.depends_on), 0), coalesce(m.attempts, 0), max_attempts_of(d.max_attempts),
               coalesce(m.priority, priority_of(d.priority)), m.status, coalesce(d.task_type, 'generic'), d.phase, d.directive_id,
               CASE WHEN m.claim_seq > m.ready_seq THEN m.claimed_by END, m.blocked_parent,
               CASE WHEN m.status <> 'done' THEN m.error END, d.title
        FROM matched m CROSS JOIN LATERAL json_to_record(m.creation) AS d (title text, phase text, directive_id text, task_type text,
            priority smallint, max_attempts integer, timeout_seconds double precision, depends_on json)
        WHERE m.first_type = 'task.created' AND m.first_version = 1 AND m.legal
          AND (m.claim_seq IS NULL OR coalesce(json_array_length(d.depends_on), 0) = 0 OR NOT live)
        RETURNING id, status, priority, position, waiting_on, next_run_at
    ), changed AS (
        UPDATE tasks t SET
            version = m.version,
            status = m.status,
            run_id = CASE WHEN m.status = 'running' THEN coalesce(m.claim_seq, t.run_id) END,
            attempts = coalesce(m.attempts, t.attempts),
            claimed_by = CASE WHEN m.claim_seq IS NULL AND m.ready_seq IS NULL THEN t.claimed_by
                              WHEN m.ready_seq IS NULL OR m.claim_seq > m.ready_seq THEN m.claimed_by END,
            claimed_at = coalesce(m.claimed_at, t.claimed_at),
            started_at = CASE WHEN m.claim_seq IS NULL THEN coalesce(m.started_at, t.started_at)
                              WHEN m.start_seq > m.claim_seq THEN m.started_at END,
            finished_at = m.finished_at,
            next_run_at = m.next_run_at,
            priority = coalesce(m.priority, t.priority),
            position = coalesce(m.ready_seq, t.position),
            ready_at = coalesce(m.ready_at, t.ready_at),
            last_error = CASE WHEN m.status <> 'done' THEN coalesce(m.error, t.last_error) END,
            blocked_parent = m.blocked_parent
        FROM matched m
        WHERE m.place IS NOT NULL AND t.ctid = m.place AND t.id = m.id AND t.version = m.first_version - 1 AND m.legal
          AND t.status = ANY (m.first_sources) AND m.first_run IS NOT DISTINCT FROM CASE WHEN live THEN t.run_id ELSE m.first_run END
          AND (m.claim_seq IS NULL OR t.waiting_on = 0 OR NOT live)
        RETURNING t.id, t.status, t.priority, t.position, t.waiting_on, t.next_run_at
    ), written AS (
        SELECT * FROM created UNION ALL SELECT * FROM changed
    ), left_ready AS (
        DELETE FROM ready r USING matched m WHERE m.ready_place IS NOT NULL AND r.ctid = m.ready_place RETURNING r.id
    ), left_scheduled AS (
        DELETE FROM scheduled s USING matched m WHERE m.scheduled_place IS NOT NULL AND s.ctid = m.scheduled_place RETURNING s.id
    ), entered_ready AS (
        INSERT INTO ready (priority, position, id)
        SELECT w.priority, w.position, w.id FROM written w
        WHERE w.status = 'ready' AND w.waiting_on = 0 AND w.next_run_at IS NULL
    ), entered_scheduled AS (
        INSERT INTO scheduled (due_at, id, priority, position)
        SELECT w.next_run_at, w.id, w.priority, w.position FROM written w
        WHERE w.status = 'ready' AND w.waiting_on = 0 AND w.next_run_at IS NOT NULL
    )
    SELECT (SELECT count(*) FROM matched), (SELECT count(*) FROM written),
           (SELECT count(m.scheduled_place) FROM matched m) <> (SELECT count(*) FROM left_scheduled)
               OR (SELECT count(*) FROM left_ready) < 0,  -- asked, so that a key is left before it is entered again
           (SELECT ARRAY[
                count(*) FILTER (WHERE m.status = 'ready')     - count(*) FILTER (WHERE m.old_status = 'ready'),
                count(*) FILTER (WHERE m.status = 'running')   - count(*) FILTER (WHERE m.old_status = 'running'),
                count(*) FILTER (WHERE m.status = 'done')      - count(*) FILTER (WHERE m.old_status = 'done'),
                count(*) FILTER (WHERE m.status = 'failed')    - count(*) FILTER (WHERE m.old_status = 'failed'),
                count(*) FILTER (WHERE m.status = 'blocked')   - count(*) FILTER (WHERE m.old_status = 'blocked'),
                count(*) FILTER (WHERE m.status = 'cancelled') - count(*) FILTER (WHERE m.old_status = 'cancelled')]
            FROM matched m)
    INTO expected, folded, moved, delta;

    IF folded <> expected THEN
        SELECT b.id, b.type, b.version, (b.data->>'run_id')::bigint AS run_id, last.events INTO bad
        FROM (SELECT id, max(version) AS version, count(*) AS events FROM batch WHERE kind = 'task' GROUP BY id) last
        LEFT JOIN tasks t ON t.id = last.id JOIN batch b ON b.kind = 'task' AND b.id = last.id
        WHERE t.version IS DISTINCT FROM last.version ORDER BY b.id, b.version LIMIT 1;
        PERFORM refuse_task(bad.id, bad.type, bad.version, bad.run_id, bad.events);
    END IF;
    IF moved THEN  -- between this statement's look and its turn
        RAISE EXCEPTION 'a task of this statement fell due at the same moment' USING ERRCODE = 'ER001', HINT = 'send it again';
    END IF;
    IF delta <> '{0,0,0,0,0,0}' THEN
        UPDATE task_counts SET ready = ready + delta[1], running = running + delta[2], done = done + delta[3],
            failed = failed + delta[4], blocked = blocked + delta[5], cancelled = cancelled + delta[6]
        WHERE shard = counter_shard();
    END IF;
    RETURN NULL;
END $$;

-- A task waits for its parents: `waiting_on` counts those that are not done now.
-- New children lock their parents (in id order) before they count them; a parent's end locks the parent first. So
-- whichever comes second sees the other.
CREATE FUNCTION fold_dependencies() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    live CONSTANT boolean := TG_TABLE_NAME = 'events';
    children text[];
    unknown  record;
    freed    text[];
    ended    integer[];
BEGIN
    IF current_setting('elruso.children') = 'true' THEN
        WITH edges AS (
            INSERT INTO task_deps (parent, child)
            SELECT d.parent, b.id FROM batch b CROSS JOIN LATERAL json_array_elements_text(b.data->'depends_on') AS d (parent)
            WHERE b.type = 'task.created' AND b.data->'depends_on' IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING child
        )
        SELECT array_agg(DISTINCT child) INTO children FROM edges;
    END IF;

    IF children IS NOT NULL THEN
        PERFORM FROM tasks p WHERE p.id IN (SELECT d.parent FROM task_deps d WHERE d.child = ANY (children)) ORDER BY p.id FOR SHARE;
        IF live THEN
            SELECT d.child, d.parent INTO unknown
            FROM task_deps d JOIN tasks c ON c.id = d.child LEFT JOIN tasks p ON p.id = d.parent
            WHERE d.child = ANY (children) AND (p.created_seq IS NULL OR p.created_seq >= c.created_seq) LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'task % depends on %, which does not come before it', unknown.child, unknown.parent
                    USING ERRCODE = 'ER004', HINT = 'create parents first, or in the same request before their children';
            END IF;
        END IF;
        WITH counted AS (
            UPDATE tasks t SET waiting_on = (SELECT count(*) FROM task_deps d LEFT JOIN tasks p ON p.id = d.parent
                                             WHERE d.child = t.id AND p.status IS DISTINCT FROM 'done')
            WHERE t.id = ANY (children)
            RETURNING t.id, t.status, t.priority, t.position, t.waiting_on, t.next_run_at
        ), into_ready AS (
            INSERT INTO ready (priority, position, id)
            SELECT priority, position, id FROM counted WHERE waiting_on = 0 AND status = 'ready' AND next_run_at IS NULL
        )
        INSERT INTO scheduled (due_at, id, priority, position)
        SELECT next_run_at, id, priority, position FROM counted WHERE waiting_on = 0 AND status = 'ready' AND next_run_at IS NOT NULL;
    END IF;

    IF holds('task.done') THEN
        SELECT array_agg(f.child ORDER BY f.child), array_agg(f.ended ORDER BY f.child) INTO freed, ended
        FROM (SELECT d.child, count(*)::integer AS ended
              FROM batch b CROSS JOIN LATERAL (SELECT k.child FROM task_deps k WHERE k.parent = b.id OFFSET 0) d
              WHERE b.type = 'task.done' AND (children IS NULL OR d.child <> ALL (children))  -- those counted above saw it already
              GROUP BY d.child) f;
        IF freed IS NOT NULL THEN
            PERFORM FROM tasks t WHERE t.id = ANY (freed) ORDER BY t.id FOR NO KEY UPDATE;  -- several parents may end at once
            WITH counted AS (
                UPDATE tasks t SET waiting_on = t.waiting_on - f.ended
                FROM unnest(freed, ended) AS f (child, ended)
                CROSS JOIN LATERAL (SELECT k.ctid AS place FROM tasks k WHERE k.id = f.child OFFSET 0) k
                WHERE t.ctid = k.place
                RETURNING t.id, t.created_seq, t.status, t.priority, t.position, t.waiting_on, t.next_run_at
            ), left_aside AS (
                DELETE FROM aside a USING counted c WHERE c.waiting_on = 0 AND a.why = 'waiting' AND a.created_seq = c.created_seq AND a.id = c.id
            ), into_ready AS (
                INSERT INTO ready (priority, position, id)
                SELECT priority, position, id FROM counted WHERE waiting_on = 0 AND status = 'ready' AND next_run_at IS NULL
            )
            INSERT INTO scheduled (due_at, id, priority, position)
            SELECT next_run_at, id, priority, position FROM counted WHERE waiting_on = 0 AND status = 'ready' AND next_run_at IS NOT NULL;
        END IF;
    END IF;
    RETURN NULL;
END $$;

-- What is set aside, and what was lost. A child that waits is also taken off the list by fold_dependencies, when the
-- last of its parents is done.
CREATE FUNCTION fold_aside() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
    IF current_setting('elruso.children') = 'false' AND (is_hot() OR NOT holds('task.')) THEN
        RETURN NULL;
    END IF;
    WITH touched AS (
        SELECT b.id, bool_or(b.type = 'task.done') AS is_closed FROM batch b
        WHERE b.type IN ('task.failed', 'task.blocked', 'task.cancelled', 'task.requeued')
           OR b.type = 'task.created' AND b.data->'depends_on' IS NOT NULL OR b.type = 'task.done' AND b.data->>'run_id' IS NULL
        GROUP BY b.id
    ), placed AS MATERIALIZED (
        SELECT t.id, t.created_seq, CASE WHEN t.status IN ('failed', 'blocked', 'cancelled') THEN t.status
                                         WHEN t.status = 'ready' AND t.waiting_on > 0 THEN 'waiting'
                                         WHEN t.status = 'done' AND touched.is_closed THEN 'done' END AS why
        FROM touched CROSS JOIN LATERAL (SELECT k.* FROM tasks k WHERE k.id = touched.id OFFSET 0) t
    ), came_back AS (
        DELETE FROM aside a USING placed p CROSS JOIN (VALUES ('waiting'), ('failed'), ('blocked'), ('cancelled')) AS other (why)
        WHERE other.why IS DISTINCT FROM p.why AND a.why = other.why AND a.created_seq = p.created_seq AND a.id = p.id
    )
    INSERT INTO aside (why, created_seq, id)
    SELECT p.why, p.created_seq, p.id FROM placed p WHERE p.why IS NOT NULL ORDER BY p.created_seq ON CONFLICT DO NOTHING;

    INSERT INTO lost_runs (status, id)
    SELECT substr(b.type, 6), (b.data->>'run_id')::bigint FROM batch b
    WHERE b.type IN ('task.failed', 'task.requeued', 'task.blocked', 'task.cancelled') AND b.data->>'run_id' IS NOT NULL ORDER BY b.seq;
    RETURN NULL;
END $$;

-- Runs: one row per claim, ended by the event that takes the run away.
CREATE FUNCTION fold_runs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
    IF NOT holds('task.') OR current_setting('elruso.types') = '{task.created}' OR (TG_TABLE_NAME = 'events' AND is_hot()) THEN
        RETURN NULL;
    END IF;
    WITH said AS (
        SELECT CASE b.type WHEN 'task.claimed' THEN b.seq ELSE (b.data->>'run_id')::bigint END AS run_id, b.id, b.version, b.type, b.at, b.data,
               b.type = 'task.claimed' AS begins, b.type = 'task.started' AS starts, b.type NOT IN ('task.claimed', 'task.started') AS ends
        FROM batch b WHERE b.kind = 'task' AND b.type NOT IN ('task.created', 'task.step', 'task.prioritized')
    ), net AS MATERIALIZED (
        SELECT s.run_id, min(s.id) AS task_id, max(s.at) FILTER (WHERE s.begins) AS claimed_at,
               max(s.data::text) FILTER (WHERE s.begins)::json AS claim,
               (array_agg(s.at ORDER BY s.version DESC) FILTER (WHERE s.starts))[1] AS started_at,
               (array_agg(s.data->>'branch' ORDER BY s.version DESC) FILTER (WHERE s.starts AND s.data->>'branch' IS NOT NULL))[1] AS branch,
               (array_agg(s.data->>'commit_hash' ORDER BY s.version DESC) FILTER (WHERE s.starts AND s.data->>'commit_hash' IS NOT NULL))[1] AS commit_hash,
               max(s.at) FILTER (WHERE s.ends) AS finished_at, coalesce(substr(max(s.type) FILTER (WHERE s.ends), 6), 'running') AS status,
               max(s.data::text) FILTER (WHERE s.ends)::json AS result
        FROM said s WHERE s.run_id IS NOT NULL GROUP BY s.run_id ORDER BY s.run_id
    ), told AS MATERIALIZED (
        SELECT n.run_id, coalesce(g.id, n.task_id) AS task_id, coalesce(g.runner, n.claim->>'runner') AS runner,
               coalesce(g.attempt, attempts_of((n.claim->>'attempt')::integer)) AS attempt, coalesce(g.claimed_at, n.claimed_at) AS claimed_at,
               coalesce(n.started_at, g.started_at) AS started_at, n.finished_at, n.status, coalesce(d.branch, n.branch, g.branch) AS branch,
               d.duration_ms, coalesce(d.commit_hash, n.commit_hash, g.commit_hash) AS commit_hash, d.summary, coalesce(d.error, d.reason) AS error, g.place
        FROM net n LEFT JOIN LATERAL json_to_record(n.result)
            AS d (duration_ms bigint, branch text, commit_hash text, summary text, error text, reason text) ON true
        LEFT JOIN LATERAL (SELECT k.ctid AS place, k.* FROM running k WHERE k.run_id = n.run_id AND n.claimed_at IS NULL OFFSET 0) g ON true
    ), began AS (
        INSERT INTO running (run_id, id, runner, attempt, claimed_at, started_at, branch, commit_hash)
        SELECT t.run_id, t.task_id, t.runner, t.attempt, t.claimed_at, t.started_at, t.branch, t.commit_hash
        FROM told t WHERE t.place IS NULL AND t.finished_at IS NULL
    ), went_on AS (
        UPDATE running g SET started_at = t.started_at, branch = t.branch, commit_hash = t.commit_hash FROM told t WHERE t.finished_at IS NULL AND g.ctid = t.place
    ), left_running AS (
        DELETE FROM running WHERE ctid = ANY (ARRAY(SELECT t.place FROM told t WHERE t.finished_at IS NOT NULL))
    ), ended AS (
        INSERT INTO ended_runs (id, task_id, runner, attempt, status, claimed_at, started_at, finished_at, duration_ms, branch, commit_hash, summary, error)
        SELECT t.run_id, t.task_id, t.runner, t.attempt, t.status, t.claimed_at, t.started_at, t.finished_at, t.duration_ms, t.branch, t.commit_hash,
               t.summary, t.error
        FROM told t WHERE t.finished_at IS NOT NULL
        RETURNING status, finished_at
    )
    INSERT INTO run_counts AS c (bucket, shard, ended, failed)
    SELECT date_bin('5 minutes', e.finished_at, 'epoch'), counter_shard(), count(*), count(*) FILTER (WHERE e.status = 'failed')
    FROM ended e GROUP BY 1 ORDER BY 1
    ON CONFLICT (bucket, shard) DO UPDATE SET ended = c.ended + excluded.ended, failed = c.failed + excluded.failed;
    RETURN NULL;
END $$;

-- Whole lives, for a rebuild, which need not go through the states that a task has left behind. Most lives are straight:
-- created, claimed, started, steps, done. Of the tasks with ids in a range, as the log tells of them up to the horizon,
-- those with such a life get the row they have in the end, and their run gets its own. Answers how many events there were,
-- whose life takes a turn (those are for the folds), and who else has details (for fold_steps).
CREATE FUNCTION recall_lives(after text, up_to text, horizon bigint, OUT events bigint, OUT turning text[], OUT detailed text[])
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET jit = off AS $$
BEGIN
    WITH life AS MATERIALIZED (
        SELECT e.id, count(*)::integer AS length, max(e.version) AS version, array_agg(e.type ORDER BY e.version) AS types,
               array_agg(e.seq ORDER BY e.version) AS seqs, array_agg(e.at ORDER BY e.version) AS times, array_agg(e.data ORDER BY e.version) AS data
        FROM log.events e WHERE e.kind = 'task' AND e.id > after AND e.id <= up_to AND e.seq <= horizon GROUP BY e.id
    ), told AS (
        SELECT l.id, l.length, l.seqs, l.times, json_populate_record(NULL::definition, l.data[1]) AS definition,
               l.data[2]->>'runner' AS runner, attempts_of((l.data[2]->>'attempt')::integer) AS attempt, l.data[3]->>'branch' AS first_branch, l.data[3]->>'commit_hash' AS first_commit,
               json_populate_record(NULL::result, l.data[length]) AS result, (l.data[3]->>'run_id')::bigint = l.seqs[2]
                   AND (l.length = 4 OR (SELECT bool_and((d.step->>'run_id')::bigint = l.seqs[2]) FROM unnest(l.data[4:length - 1]) AS d (step))) AS is_one_run
        FROM life l
        WHERE array_remove(l.types, 'task.step') = '{task.created,task.claimed,task.started,task.done}' AND l.types[3] = 'task.started'
          AND l.types[length] = 'task.done' AND l.version = l.length OFFSET 0
    ), straight AS MATERIALIZED (
        SELECT * FROM told t
        WHERE t.is_one_run AND (t.result).run_id = t.seqs[2] AND t.seqs[1] < t.seqs[2] AND t.seqs[2] < t.seqs[3] AND t.seqs[3] < t.seqs[length]
    ), lived AS (
        INSERT INTO tasks (id, created_seq, position, ready_at, created_at, claimed_at, started_at, finished_at, timeout_seconds, version,
                           attempts, max_attempts, priority, status, task_type, phase, directive_id, claimed_by, title)
        SELECT s.id, s.seqs[1], s.seqs[1], greatest(s.times[1], moment_of((s.definition).next_run_at)), s.times[1], s.times[2], s.times[3], s.times[length],
               timeout_of((s.definition).timeout_seconds), s.length, s.attempt, max_attempts_of((s.definition).max_attempts), priority_of((s.definition).priority),
               'done', coalesce((s.definition).task_type, 'generic'), (s.definition).phase, (s.definition).directive_id, s.runner, (s.definition).title
        FROM straight s
    ), ran AS (
        INSERT INTO ended_runs (id, task_id, runner, attempt, status, claimed_at, started_at, finished_at, duration_ms, branch, commit_hash, summary)
        SELECT s.seqs[2], s.id, s.runner, s.attempt, 'done', s.times[2], s.times[3], s.times[length], (s.result).duration_ms,
               coalesce((s.result).branch, s.first_branch), coalesce((s.result).commit_hash, s.first_commit), (s.result).summary
        FROM straight s
    ), tallied AS (
        INSERT INTO run_counts AS c (bucket, shard, ended, failed)
        SELECT date_bin('5 minutes', s.times[length], 'epoch'), counter_shard(), count(*), 0 FROM straight s GROUP BY 1 ORDER BY 1
        ON CONFLICT (bucket, shard) DO UPDATE SET ended = c.ended + excluded.ended
    ), counted AS (
        UPDATE task_counts SET done = done + (SELECT count(*) FROM straight) WHERE shard = counter_shard()
    )
    SELECT (SELECT sum(l.length) FROM life l), ARRAY(SELECT l.id FROM life l EXCEPT ALL SELECT s.id FROM straight s),
           ARRAY(SELECT s.id FROM straight s WHERE s.length > 4 OR (s.result).file_changes IS NOT NULL)
    INTO events, turning, detailed;
END $$;

-- What a run did: its steps, and the files it changed.
CREATE FUNCTION fold_steps() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
    IF holds('task.step') THEN
        INSERT INTO steps (run_id, number, name, cmd, exit_code, duration_ms, output_excerpt, output_bytes, truncated, error, at)
        SELECT DISTINCT ON (d.run_id, d.number) d.run_id, d.number, d.name, d.cmd, d.exit_code, d.duration_ms, d.output_excerpt,
               coalesce(d.output_bytes, 0), coalesce(d.truncated, false), d.error, b.at
        FROM batch b CROSS JOIN LATERAL json_to_record(b.data) AS d (run_id bigint, number integer, name text, cmd text, exit_code integer,
            duration_ms bigint, output_excerpt text, output_bytes bigint, truncated boolean, error text)
        WHERE b.type = 'task.step' ORDER BY d.run_id, d.number, b.version DESC
        ON CONFLICT (run_id, number) DO UPDATE SET name = excluded.name, cmd = excluded.cmd, exit_code = excluded.exit_code,
            duration_ms = excluded.duration_ms, output_excerpt = excluded.output_excerpt, output_bytes = excluded.output_bytes,
            truncated = excluded.truncated, error = excluded.error, at = excluded.at;
    END IF;
    IF holds('task.done') OR holds('task.failed') THEN
        INSERT INTO file_changes (run_id, path, change, added, removed, renamed_from)
        SELECT DISTINCT ON (b.seq, f.path) (b.data->>'run_id')::bigint, f.path, coalesce(f.change, 'modified'), f.added, f.removed, f.renamed_from
        FROM batch b CROSS JOIN LATERAL ROWS FROM (json_to_recordset(b.data->'file_changes')
            AS (path text, change text, added integer, removed integer, renamed_from text)) WITH ORDINALITY
            AS f (path, change, added, removed, renamed_from, place)
        WHERE b.type IN ('task.done', 'task.failed') AND b.data->'file_changes' IS NOT NULL
        ORDER BY b.seq, f.path, f.place;  -- named twice, the first counts
    END IF;
    RETURN NULL;
END $$;

-- Runners: a heartbeat is one event here and one heap-only update. The last event that is none says whether it drains.
CREATE FUNCTION fold_runners() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    expected bigint;
    folded   bigint;
BEGIN
    IF NOT holds('runner.') THEN
        RETURN NULL;
    END IF;
    WITH chain AS (
        SELECT b.id, b.seq, b.version, b.at, b.type, b.actor, b.data, t.target, t.sources,
               lead(t.target) OVER w AS prior_status, lead(b.seq) OVER w AS prior_seq
        FROM batch b JOIN log.transitions t ON t.type = b.type WHERE b.kind = 'runner'
        WINDOW w AS (PARTITION BY b.id ORDER BY b.version DESC)
    ), net AS (
        SELECT c.id, min(c.version) AS first_version, max(c.version) AS version,
               (array_agg(c.at))[count(*)] AS first_at, (array_agg(c.at) FILTER (WHERE c.type NOT IN ('runner.draining', 'runner.resumed')))[1] AS seen_at,
               (array_agg(c.target))[1] AS status,
               min(c.type) FILTER (WHERE c.prior_status IS NULL) AS first_type,
               (array_agg(c.at) FILTER (WHERE c.type = 'runner.started'))[1] AS started_at,
               (array_agg(coalesce(c.data->'meta', '{}')) FILTER (WHERE c.type = 'runner.started' OR c.data->>'meta' IS NOT NULL))[1] AS meta,
               bool_or(c.type NOT IN ('runner.heartbeat', 'runner.stopped')) AS turns,
               (array_agg(CASE WHEN c.type = 'runner.draining' THEN c.at END) FILTER (WHERE c.type NOT IN ('runner.heartbeat', 'runner.stopped')))[1] AS drain_at,
               (array_agg(CASE WHEN c.type = 'runner.draining' THEN c.actor END) FILTER (WHERE c.type NOT IN ('runner.heartbeat', 'runner.stopped')))[1] AS drain_by,
               (array_agg(CASE WHEN c.type = 'runner.draining' THEN c.data->>'reason' END) FILTER (WHERE c.type NOT IN ('runner.heartbeat', 'runner.stopped')))[1] AS drain_reason,
               max(c.version) - min(c.version) + 1 = count(*)
                   AND bool_and(c.prior_status IS NULL OR (c.prior_status = ANY (c.sources) AND c.prior_seq < c.seq)) AS legal
        FROM chain c GROUP BY c.id ORDER BY c.id
    ), created AS (
        INSERT INTO runners (id, version, status, started_at, last_seen_at, stopped_at, draining_since, draining_by, draining_reason, meta)
        SELECT n.id, n.version, n.status, coalesce(n.started_at, n.first_at), n.seen_at, CASE WHEN n.status = 'stopped' THEN n.seen_at END,
               n.drain_at, n.drain_by, n.drain_reason, coalesce(n.meta, '{}')
        FROM net n JOIN log.transitions f ON f.type = n.first_type
        WHERE n.first_version = 1 AND n.legal AND '' = ANY (f.sources)
        RETURNING id
    ), changed AS (
        UPDATE runners r SET version = n.version, status = n.status, started_at = coalesce(n.started_at, r.started_at),
            last_seen_at = coalesce(n.seen_at, r.last_seen_at), stopped_at = CASE WHEN n.status = 'stopped' THEN n.seen_at END,
            draining_since = CASE WHEN n.turns THEN n.drain_at ELSE r.draining_since END,
            draining_by = CASE WHEN n.turns THEN n.drain_by ELSE r.draining_by END,
            draining_reason = CASE WHEN n.turns THEN n.drain_reason ELSE r.draining_reason END, meta = coalesce(n.meta, r.meta)
        FROM net n JOIN log.transitions f ON f.type = n.first_type
        WHERE r.id = n.id AND r.version = n.first_version - 1 AND n.legal AND r.status = ANY (f.sources)
        RETURNING r.id
    )
    SELECT (SELECT count(*) FROM net), (SELECT count(*) FROM created) + (SELECT count(*) FROM changed) INTO expected, folded;
    IF folded <> expected THEN
        PERFORM refuse_stream(b.kind, b.id, b.type, b.version, r.version, r.status)
        FROM batch b LEFT JOIN runners r ON r.id = b.id
        WHERE b.kind = 'runner' AND r.version IS DISTINCT FROM (SELECT max(x.version) FROM batch x WHERE x.kind = 'runner' AND x.id = b.id)
        ORDER BY b.id, b.version LIMIT 1;
    END IF;
    RETURN NULL;
END $$;

-- Says why a batch of runner or system events was refused.
CREATE FUNCTION refuse_stream(kind text, id text, type text, version integer, known_version integer, known_status text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF version <> coalesce(known_version, 0) + 1 THEN
        RAISE EXCEPTION '% %: % would be version %, but the stream is at version %', kind, id, type, version, coalesce(known_version, 0)
            USING ERRCODE = 'ER001', HINT = 'read the stream again and decide anew';
    END IF;
    RAISE EXCEPTION '% %: % is not possible while it is %', kind, id, type, coalesce(known_status, 'unknown') USING ERRCODE = 'ER002';
END $$;

-- The system: paused or active. Events of it are rare and come one at a time, so they are folded one at a time.
CREATE FUNCTION fold_system() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    event record;
BEGIN
    IF NOT holds('system.') THEN
        RETURN NULL;
    END IF;
    FOR event IN SELECT b.*, t.target, t.sources FROM batch b JOIN log.transitions t ON t.type = b.type WHERE b.kind = 'system' ORDER BY b.id, b.seq LOOP
        INSERT INTO system AS s (id, version, status, reason, changed_at, changed_by)
        SELECT event.id, event.version, event.target, event.data->>'reason', event.at, event.actor
        WHERE EXISTS (SELECT FROM system k WHERE k.id = event.id) OR (event.version = 1 AND '' = ANY (event.sources))
        ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, reason = excluded.reason,
            changed_at = excluded.changed_at, changed_by = excluded.changed_by
        WHERE s.version = excluded.version - 1 AND s.status = ANY (event.sources);
        IF NOT FOUND THEN
            PERFORM refuse_stream(event.kind, event.id, event.type, event.version,
                                  (SELECT s.version FROM system s WHERE s.id = event.id), (SELECT s.status FROM system s WHERE s.id = event.id));
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Requests come as seldom. An opening without a definition keeps the one before.
CREATE FUNCTION fold_requests() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    event  record;
    before requests%ROWTYPE;
BEGIN
    IF NOT holds('request.') THEN
        RETURN NULL;
    END IF;
    FOR event IN SELECT b.*, t.target, t.sources FROM batch b JOIN log.transitions t ON t.type = b.type WHERE b.kind = 'request' ORDER BY b.id, b.seq LOOP
        SELECT * INTO before FROM requests r WHERE r.id = event.id FOR UPDATE;
        IF event.version <> coalesce(before.version, 0) + 1 OR coalesce(before.status, '') <> ALL (event.sources) THEN
            PERFORM refuse_stream(event.kind, event.id, event.type, event.version, before.version, before.status);
        END IF;
        IF event.type = 'request.opened' THEN
            INSERT INTO requests AS r (id, version, status, definition, reason, opened_at, changed_at, changed_by)
            VALUES (event.id, event.version, event.target, (event.data->>'definition')::json, event.data->>'reason', event.at, event.at, event.actor)
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status,
                definition = coalesce(excluded.definition, r.definition), reason = excluded.reason, place = NULL, opened_at = excluded.opened_at,
                provided_at = NULL, provided_by = NULL, changed_at = excluded.changed_at, changed_by = excluded.changed_by;
        ELSE
            UPDATE requests SET version = event.version, status = event.target, changed_at = event.at, changed_by = event.actor,
                reason = CASE event.type WHEN 'request.withdrawn' THEN event.data->>'reason' ELSE before.reason END,
                place = CASE event.type WHEN 'request.provided' THEN event.data->>'place' ELSE before.place END,
                provided_at = CASE event.type WHEN 'request.provided' THEN event.at ELSE before.provided_at END,
                provided_by = CASE event.type WHEN 'request.provided' THEN event.actor ELSE before.provided_by END
            WHERE id = event.id;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Directives: proposed, then decided about, once.
CREATE FUNCTION fold_directives() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    event  record;
    before directives%ROWTYPE;
BEGIN
    IF NOT holds('directive.') THEN
        RETURN NULL;
    END IF;
    FOR event IN SELECT b.*, t.target, t.sources FROM batch b JOIN log.transitions t ON t.type = b.type WHERE b.kind = 'directive' ORDER BY b.id, b.seq LOOP
        SELECT * INTO before FROM directives d WHERE d.id = event.id FOR UPDATE;
        IF event.version <> coalesce(before.version, 0) + 1 OR coalesce(before.status, '') <> ALL (event.sources) THEN
            PERFORM refuse_stream(event.kind, event.id, event.type, event.version, before.version, before.status);
        END IF;
        IF event.type = 'directive.proposed' THEN
            INSERT INTO directives (id, version, status, title, digest, approval, planner_run, task_ids, required, proposed_seq, proposed_at, proposed_by)
            VALUES (event.id, event.version, event.target, event.data->>'title', event.data->>'digest', event.data->>'approval', event.data->>'planner_run',
                    ARRAY(SELECT t.task->>'id' FROM json_array_elements(event.data->'tasks_to_create') WITH ORDINALITY AS t (task, place) ORDER BY t.place),
                    ARRAY(SELECT r.request->>'request_id' FROM json_array_elements(event.data->'required_requests') WITH ORDINALITY AS r (request, place)
                          ORDER BY r.place),
                    event.seq, event.at, event.actor);
        ELSE
            UPDATE directives SET version = event.version, status = event.target, decided_seq = event.seq, decided_at = event.at,
                decided_by = event.actor, reason = event.data->>'reason'
            WHERE id = event.id;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Runs of the planner: each is told by one event, when it has ended.
CREATE FUNCTION fold_planner_runs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    bad record;
BEGIN
    IF NOT holds('planner.') THEN
        RETURN NULL;
    END IF;
    SELECT b.*, r.version AS known_version, r.status AS known_status INTO bad
    FROM batch b LEFT JOIN planner_runs r ON r.id = b.id
    WHERE b.kind = 'planner' AND (b.version <> 1 OR r.id IS NOT NULL) ORDER BY b.id, b.version LIMIT 1;
    IF FOUND THEN
        PERFORM refuse_stream(bad.kind, bad.id, bad.type, bad.version, bad.known_version, bad.known_status);
    END IF;
    INSERT INTO planner_runs (id, version, status, seq, outcome, error, model, environment, prompt_tokens, completion_tokens, cost, duration_ms,
                              rounds, directives, tasks, refused, ended_at, started_by)
    SELECT b.id, b.version, t.target, b.seq,
           coalesce(d.outcome, CASE WHEN d.directives IS NULL THEN 'nothing_new' ELSE 'created' END), d.error, d.model,
           coalesce(d.environment, 'production'), coalesce(u.prompt_tokens, 0), coalesce(u.completion_tokens, 0), coalesce(d.cost, 0),
           coalesce(d.duration_ms, 0), coalesce(d.rounds, 1), coalesce(json_array_length(d.directives), 0),
           coalesce(json_array_length(d.tasks), 0), coalesce(json_array_length(d.refused), 0), b.at, b.actor
    FROM batch b JOIN log.transitions t ON t.type = b.type
    CROSS JOIN LATERAL json_to_record(b.data) AS d (outcome text, error text, model text, environment text, usage json, cost double precision,
        duration_ms bigint, rounds integer, directives json, tasks json, refused json)
    LEFT JOIN LATERAL json_to_record(d.usage) AS u (prompt_tokens bigint, completion_tokens bigint) ON true
    WHERE b.kind = 'planner' ORDER BY b.id;
    RETURN NULL;
END $$;

-- What a service may do here (see the end of the log part): read. Only the two queues it also writes, to lock what it
-- claims and to move what fell due; every other change is made by the folds above, with their owner's rights.
DO $$ BEGIN
    IF to_regrole('elruso_service') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO elruso_service', current_schema());
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO elruso_service', current_schema());
        GRANT INSERT, UPDATE, DELETE ON ready, scheduled TO elruso_service;
    END IF;
END $$;
