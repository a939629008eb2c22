-- The guard holds events to their Structs. It looks at new events only: what is in the log already stays as it is.
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
    ('directive.proposed', '{"type":["object"],"properties":{"title":{"type":["string"],"minLength":1,"maxLength":1000},"digest":{"type":["string"],"maxLength":200},"approval":{"enum":["auto","manual"],"type":["string"]},"body":{"type":["string","null"],"maxLength":1000000},"acceptance_criteria":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}},"risks":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}},"required_requests":{"type":["array"],"items":{"type":["object"],"properties":{"request_id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"reason":{"type":["string","null"],"maxLength":1000000}},"required":["request_id"],"additionalProperties":false}},"tasks_to_create":{"type":["array"],"items":{"type":["object"],"properties":{"id":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"title":{"type":["string"],"minLength":1,"maxLength":1000},"body":{"type":["string","null"],"maxLength":1000000},"phase":{"type":["string","integer","null"],"maxLength":200,"minimum":-9223372036854775808,"maximum":9223372036854775807},"task_type":{"type":["string"],"minLength":1,"maxLength":1000},"steps":{"type":["array"],"items":{"type":["object"],"properties":{"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string"],"maxLength":1000000},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000}},"required":["name","cmd"],"additionalProperties":false}},"params":{"type":["object"]},"priority":{"type":["integer"],"minimum":0,"maximum":1000},"max_attempts":{"type":["integer"],"minimum":1,"maximum":100},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000},"depends_on":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"blocked_by":{"type":["array"],"items":{"type":["string"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"}},"acceptance":{"type":["object","null"],"properties":{"expected_files":{"type":["array"],"items":{"type":["string"],"maxLength":16384}},"checks":{"type":["array"],"items":{"type":["object"],"properties":{"name":{"type":["string"],"minLength":1,"maxLength":1000},"cmd":{"type":["string"],"maxLength":1000000},"timeout_seconds":{"type":["number","null"],"minimum":0.001,"maximum":31536000}},"required":["name","cmd"],"additionalProperties":false}}},"required":[],"additionalProperties":false},"allowed_scope":{"type":["array"],"items":{"type":["string"],"maxLength":16384}}},"required":["id","title"],"additionalProperties":false}},"planner_run":{"type":["string","null"],"minLength":1,"maxLength":200,"pattern":"^(?![\\s\\S]*[\\x00-\\x1f\\x7f])"},"notes":{"type":["array"],"items":{"type":["string"],"maxLength":1000000}}},"required":["title","digest","approval"],"additionalProperties":false}'),
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
CREATE OR REPLACE FUNCTION log.guard_append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = log, pg_temp AS $$
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
    IF NOT known OR said.earliest < '1970-01-01 00:00:00+00' OR said.latest > '9998-12-31 00:00:00+00'
       OR coalesce(current_setting('elruso.now', true), '') = '' AND (said.earliest < statement_timestamp() OR said.latest > clock_timestamp()) THEN
        SELECT b.type, b.kind, b.at INTO offender FROM batch b LEFT JOIN transitions t ON t.type = b.type AND t.kind = b.kind
        WHERE t.type IS NULL OR known AND b.at IN (said.earliest, said.latest) LIMIT 1;
        RAISE EXCEPTION 'malformed event % in a % stream at %: the type must be known and the time is the database''s to set',
            offender.type, offender.kind, offender.at USING ERRCODE = 'ER006';
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

DO $$ BEGIN
    IF to_regrole('elruso_service') IS NOT NULL THEN
        GRANT SELECT ON log.rules TO elruso_service;
    END IF;
END $$;
