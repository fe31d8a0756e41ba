-- The ten branches that answered the smallest share of complaints in time, over three months.
WITH rates AS (
  SELECT branch_code, branch, branch_name_en, MEASURE(in_time_rate) AS in_time_rate, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $quarter_from AND $month
  GROUP BY branch_code, branch, branch_name_en
)
SELECT CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch, branch_code, in_time_rate, complaints
FROM rates
WHERE in_time_rate IS NOT NULL
ORDER BY in_time_rate, complaints DESC, branch_code
LIMIT 10
