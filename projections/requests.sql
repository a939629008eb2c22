-- Requests: credentials that were asked for.

-- name: list_requests
-- Every request, in the order of the ids, with what is asked for.
SELECT coalesce(json_agg(request ORDER BY request.id), '[]')::text FROM (
    SELECT r.id, r.status, d.service, d.type, coalesce(d.scopes, '[]') AS scopes, d.purpose, d.where_to_set, d.validation_cmd,
           r.reason, r.place, r.opened_at, r.provided_at, r.provided_by, r.changed_at, r.changed_by, r.version
    FROM view.requests r
    LEFT JOIN LATERAL json_to_record(r.definition)
        AS d (service text, type text, scopes json, purpose text, where_to_set text, validation_cmd text) ON true
    ORDER BY r.id LIMIT 1000
) request;
