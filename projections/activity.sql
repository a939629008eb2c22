-- What happened of late, from the counters.

-- name: count_activity
-- The time is asked for once, and has two bounds, so that the index is walked between them. Ended runs of the last $1 hours in steps of $2 minutes; steps in which none ended are left out.
SELECT date_bin($2::integer * interval '1 minute', c.bucket, 'epoch') AS at, sum(c.ended)::bigint AS ended, sum(c.failed)::bigint AS failed
FROM view.run_counts c
WHERE c.bucket > (SELECT log.now() - $1::integer * interval '1 hour') AND c.bucket < (SELECT log.now() + interval '1 hour')
GROUP BY 1 ORDER BY 1;
