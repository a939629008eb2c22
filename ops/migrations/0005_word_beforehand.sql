-- A statement may say beforehand what it brings, and then fewer folds are started. One task and its hint to the runners
-- take one round trip. The rebuild that this brings along hangs the folds anew.
CREATE OR REPLACE FUNCTION log.guard_append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = log, pg_temp AS $$
DECLARE
    brings CONSTANT text := coalesce(current_setting('elruso.brings', true), '');
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
        IF brings IN ('task.created', 'task.claimed') AND NOT EXISTS (SELECT FROM batch b WHERE b.kind <> 'task' OR b.type <> brings OR b.at < statement_timestamp() OR b.at > clock_timestamp()
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
    IF NOT known OR (coalesce(current_setting('elruso.now', true), '') = ''
                     AND (said.earliest < statement_timestamp() OR said.latest > clock_timestamp())) THEN
        SELECT b.type, b.kind, b.at INTO offender FROM batch b LEFT JOIN transitions t ON t.type = b.type AND t.kind = b.kind
        WHERE t.type IS NULL OR known AND b.at IN (said.earliest, said.latest) LIMIT 1;
        RAISE EXCEPTION 'malformed event % in a % stream at %: the type must be known and the time is the database''s to set',
            offender.type, offender.kind, offender.at USING ERRCODE = 'ER006';
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

CREATE OR REPLACE TRIGGER append_3_react AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch
    FOR EACH STATEMENT WHEN (coalesce(current_setting('elruso.brings', true), '') = '') EXECUTE FUNCTION log.react();
CREATE OR REPLACE TRIGGER append_3_directives AFTER INSERT ON log.events REFERENCING NEW TABLE AS batch
    FOR EACH STATEMENT WHEN (coalesce(current_setting('elruso.brings', true), '') = '') EXECUTE FUNCTION log.react_directives();

CREATE OR REPLACE FUNCTION log.attach_folds(target regclass, view_schema name) RETURNS void LANGUAGE plpgsql AS $$
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

-- One task without parents, and the word to the runners, in one round trip. The word leaves once the task is safe on
-- disk, in a transaction of its own: it writes nothing, so its commit waits for no disk and no replica.
CREATE PROCEDURE log.create_and_tell(id text, actor text, command_id uuid, data json, priority integer, channel text, INOUT seq bigint)
LANGUAGE plpgsql AS $$
DECLARE
    brings CONSTANT text := set_config('elruso.brings', 'task.created', true);
BEGIN
    INSERT INTO log.events AS e (kind, id, version, type, actor, data, command_id)
    VALUES ('task', create_and_tell.id, 1, brings, create_and_tell.actor, create_and_tell.data, create_and_tell.command_id)
    RETURNING e.seq INTO create_and_tell.seq;
    COMMIT;
    PERFORM pg_notify(channel, 'r:' || priority || ':' || create_and_tell.seq || ',e:' || create_and_tell.seq);
END $$;

