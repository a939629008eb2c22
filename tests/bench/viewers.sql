-- Viewers that listen themselves: the baseline of tests/bench/viewers.py.

-- name: create_news
CREATE TABLE news (id bigint PRIMARY KEY, body text NOT NULL);

-- name: tell
-- The baseline's event: a row, and word of it to every session that listens. $1 id
WITH told AS (INSERT INTO news (id, body) VALUES ($1, 'news') RETURNING id)
SELECT pg_notify('news', id::text) FROM told;

-- name: list_listeners
-- The sessions of this database that listen.
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%';
