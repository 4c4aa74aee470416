-- deployment::load_facts
-- The facts of the deployments $1, of their instances, and of the instances $2. Ids are passed on as
-- lists rather than joined, so that they are looked up in the indexes.
WITH member AS (
    SELECT ARRAY(
        SELECT instance_id FROM {schema}fact WHERE deployment_id = ANY($1) AND kind = 'registered'
        UNION
        SELECT unnest($2::text[])
    ) AS ids
),
-- The other deployments that the members were ever registered with: the times of their deletion matter.
home AS (
    SELECT ARRAY(
        SELECT DISTINCT deployment_id FROM {schema}fact
        WHERE instance_id = ANY((SELECT ids FROM member)::text[]) AND kind = 'registered'
          AND deployment_id <> ALL($1)
    ) AS ids
),
-- The time from one registration of a member to the next; the first one begins before all time.
attempt AS (
    SELECT instance_id,
           CASE WHEN row_number() OVER registrations = 1 THEN '-infinity' ELSE occurred_at END AS since,
           coalesce(lead(occurred_at) OVER registrations, 'infinity') AS until
    FROM {schema}fact
    WHERE instance_id = ANY((SELECT ids FROM member)::text[]) AND kind = 'registered'
    WINDOW registrations AS (PARTITION BY instance_id ORDER BY occurred_at, event_id)
)
SELECT event_id, occurred_at, said
FROM {schema}fact
WHERE deployment_id = ANY($1) AND instance_id IS NULL
UNION ALL
SELECT event_id, occurred_at, said
FROM {schema}fact
WHERE deployment_id = ANY((SELECT ids FROM home)::text[]) AND instance_id IS NULL
  AND kind IN ('declared', 'deleted', 'stack')
UNION ALL
-- An instance may provide the same values every ten seconds: of repetitions in a row, the first and the
-- last are enough.
SELECT event_id, occurred_at, said
FROM (
    SELECT event_id, occurred_at, kind, said,
           lag(said) OVER reports AS said_before, lead(said) OVER reports AS said_after
    FROM {schema}fact
    WHERE instance_id = ANY((SELECT ids FROM member)::text[]) AND kind <> 'contacted'
    WINDOW reports AS (PARTITION BY instance_id ORDER BY occurred_at, kind <> 'registered', event_id)
) AS report
WHERE kind <> 'provided' OR said IS DISTINCT FROM said_before OR said IS DISTINCT FROM said_after
UNION ALL
-- An instance may be in contact every ten seconds for years: the first and the last contact are enough.
SELECT contact.event_id, contact.occurred_at, contact.said
FROM attempt CROSS JOIN LATERAL (
    (SELECT f.event_id, f.occurred_at, f.said FROM {schema}fact AS f
     WHERE f.instance_id = attempt.instance_id AND f.kind = 'contacted'
       AND f.occurred_at >= since AND f.occurred_at < until
     ORDER BY f.occurred_at, f.event_id LIMIT 1)
    UNION
    (SELECT f.event_id, f.occurred_at, f.said FROM {schema}fact AS f
     WHERE f.instance_id = attempt.instance_id AND f.kind = 'contacted'
       AND f.occurred_at >= since AND f.occurred_at < until
     ORDER BY f.occurred_at DESC, f.event_id DESC LIMIT 1)
) AS contact
