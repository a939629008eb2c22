-- Requests: credentials that were asked for.

-- name: list_requests
-- Every request, in the order of the ids, with what is asked for.
SELECT coalesce(json_agg(request ORDER BY request.id), '[]')::text FROM (
    SELECT r.id, r.status, d.service, d.type, coalesce(d.scopes, '[]') AS scopes, d.purpose, d.where_to_set, d.validation_cmd,
           r.reason, r.place, log.rfc3339(r.opened_at) AS opened_at, log.rfc3339(r.provided_at) AS provided_at, r.provided_by,
           log.rfc3339(r.changed_at) AS changed_at, r.changed_by, r.version
    FROM view.requests r
    LEFT JOIN LATERAL json_to_record(r.definition)
        AS d (service text, type text, scopes json, purpose text, where_to_set text, validation_cmd text) ON true
    ORDER BY r.id LIMIT 1000
) request;
