-- Calls and contacts of the year so far beside the same months of the year before. One row.
WITH this_year AS (
  SELECT SUM(contacts) AS contacts, MEASURE(average_wait) AS wait, MEASURE(abandoned_rate) AS abandoned,
         MEASURE(first_contact_resolution) AS resolved
  FROM service
  WHERE month BETWEEN $year_from AND $month
), last_year AS (
  SELECT SUM(contacts) AS contacts, MEASURE(average_wait) AS wait, MEASURE(abandoned_rate) AS abandoned,
         MEASURE(first_contact_resolution) AS resolved
  FROM service
  WHERE month BETWEEN $prior_year_from AND $prior_year
)
SELECT t.contacts, l.contacts AS contacts_prior_year, t.wait, l.wait AS wait_prior_year,
       t.abandoned, l.abandoned AS abandoned_prior_year, t.resolved, l.resolved AS resolved_prior_year,
       ROUND(CAST(t.resolved AS DOUBLE) - CAST(l.resolved AS DOUBLE), 3) AS resolved_change,
       ROUND(t.wait - l.wait, 0)                                        AS wait_change
FROM this_year t CROSS JOIN last_year l
