-- Loans and cards at the as-of month beside the month before and the same month of the year before. One row.
WITH months AS (
  SELECT month,
         SUM(outstanding)              AS outstanding,
         MEASURE(non_performing_ratio) AS non_performing_ratio,
         MEASURE(overdue_ratio)        AS overdue_ratio
  FROM credit
  WHERE month IN ($month, $prior_month, $prior_year)
  GROUP BY month
), figures AS (
  SELECT MAX(CASE WHEN month = $month       THEN outstanding END)          AS outstanding,
         MAX(CASE WHEN month = $prior_month THEN outstanding END)          AS outstanding_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN outstanding END)          AS outstanding_prior_year,
         MAX(CASE WHEN month = $month       THEN non_performing_ratio END) AS non_performing_ratio,
         MAX(CASE WHEN month = $prior_month THEN non_performing_ratio END) AS non_performing_ratio_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN non_performing_ratio END) AS non_performing_ratio_prior_year,
         MAX(CASE WHEN month = $month       THEN overdue_ratio END)        AS overdue_ratio
  FROM months
)
SELECT *, non_performing_ratio - non_performing_ratio_prior_year AS non_performing_since_prior_year
FROM figures
