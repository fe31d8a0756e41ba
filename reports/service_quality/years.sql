-- Complaints of 12 months beside the same months of the year before. A month without complaints has none, which is a number.
WITH months AS (
  SELECT month FROM service WHERE month BETWEEN $trend_from AND $month GROUP BY month
), counts AS (
  SELECT month, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $trend_from AND $month
  GROUP BY month
), filled AS (
  SELECT m.month, coalesce(c.complaints, 0) AS complaints FROM months m LEFT JOIN counts c ON c.month = m.month
)
SELECT n.month, n.complaints, b.complaints AS complaints_prior_year
FROM filled n
LEFT JOIN filled b ON b.month = n.month - INTERVAL '12 months'
WHERE n.month >= $year_back
ORDER BY n.month
