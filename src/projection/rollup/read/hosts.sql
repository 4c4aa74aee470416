-- rollup::list_hosts
-- At most $2 hosts after the name $1. Samples later than $3 show nothing about the time before them, so that for
-- a series with such samples the last one before $3 is looked up in the buckets.
WITH page AS (
    SELECT host FROM (SELECT host FROM rollup.series UNION SELECT host FROM rollup.rejected) AS h
    WHERE $1::text IS NULL OR host > $1 ORDER BY host LIMIT $2
)
SELECT p.host, h.* FROM page AS p, LATERAL (
    SELECT coalesce(array_agg(metric ORDER BY metric), '{}') AS metrics,
           min(first_at) AS first_at, max(last_at) AS latest_at,
           max(CASE WHEN s.alive_at <= $3::timestamptz THEN s.alive_at ELSE before.at END) AS alive_at
    FROM (
        SELECT host, metric, first_at, last_at, coalesce(alive_at, last_at) AS alive_at FROM rollup.series
    ) AS s
    LEFT JOIN LATERAL (
        -- Whole days, then the hours of the last day, then the minutes of the last hour. Of the minute that
        -- contains $3 it is not known which samples come before it.
        SELECT max(at) AS at FROM (
            SELECT s.first_at AS at WHERE s.first_at <= $3
            UNION ALL
            (SELECT last_at FROM rollup.day AS b
             WHERE b.host = s.host AND b.metric = s.metric AND b.start <= $3 AND last_at <= $3
             ORDER BY b.start DESC LIMIT 1)
            UNION ALL
            (SELECT last_at FROM rollup.hour AS b
             WHERE b.host = s.host AND b.metric = s.metric AND b.start <= $3 AND last_at <= $3
               AND b.start > $3 - interval '1 day'
             ORDER BY b.start DESC LIMIT 1)
            UNION ALL
            (SELECT least(last_at, $3) FROM rollup.minute AS b
             WHERE b.host = s.host AND b.metric = s.metric AND b.start <= $3
               AND b.start > $3 - interval '1 hour'
             ORDER BY b.start DESC LIMIT 1)
        ) AS candidate
    ) AS before ON s.alive_at > $3
    WHERE s.host = p.host
) AS h ORDER BY p.host
