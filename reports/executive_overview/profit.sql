-- Contribution of the as-of month beside the month before and the same month of the year before. One row.
WITH months AS (
  SELECT month, SUM(contribution) AS contribution, MEASURE(cost_income_ratio) AS cost_income_ratio
  FROM profit
  WHERE month IN ($month, $prior_month, $prior_year)
  GROUP BY month
)
SELECT MAX(CASE WHEN month = $month       THEN contribution END)      AS contribution,
       MAX(CASE WHEN month = $prior_month THEN contribution END)      AS contribution_prior_month,
       MAX(CASE WHEN month = $prior_year  THEN contribution END)      AS contribution_prior_year,
       MAX(CASE WHEN month = $month       THEN cost_income_ratio END) AS cost_income_ratio
FROM months
