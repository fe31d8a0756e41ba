-- Deposits at the as-of month beside the month before and the same month of the year before. One row.
WITH months AS (
  SELECT month,
         SUM(balance)                   AS balance,
         MEASURE(balance_daily_average) AS daily_average,
         MEASURE(customers)             AS customers
  FROM deposits
  WHERE month IN ($month, $prior_month, $prior_year)
  GROUP BY month
), figures AS (
  SELECT MAX(CASE WHEN month = $month       THEN balance END)       AS balance,
         MAX(CASE WHEN month = $prior_month THEN balance END)       AS balance_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN balance END)       AS balance_prior_year,
         MAX(CASE WHEN month = $month       THEN daily_average END) AS daily_average,
         MAX(CASE WHEN month = $month       THEN customers END)     AS customers,
         MAX(CASE WHEN month = $prior_month THEN customers END)     AS customers_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN customers END)     AS customers_prior_year
  FROM months
)
SELECT *,
       balance - balance_prior_month AS since_prior_month,
       balance - balance_prior_year  AS since_prior_year,
       CASE WHEN balance_prior_year > 0
            THEN CAST(balance - balance_prior_year AS DOUBLE) / CAST(balance_prior_year AS DOUBLE) END AS since_prior_year_share
FROM figures
