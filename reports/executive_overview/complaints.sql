-- Complaints of the as-of month beside the month before and the same month of the year before. One row.
WITH months AS (
  SELECT month, SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time_rate
  FROM complaints
  WHERE month IN ($month, $prior_month, $prior_year)
  GROUP BY month
)
SELECT MAX(CASE WHEN month = $month       THEN complaints END)   AS complaints,
       MAX(CASE WHEN month = $month       THEN in_time_rate END) AS in_time_rate,
       MAX(CASE WHEN month = $prior_month THEN in_time_rate END) AS in_time_rate_prior_month,
       MAX(CASE WHEN month = $prior_year  THEN in_time_rate END) AS in_time_rate_prior_year
FROM months
