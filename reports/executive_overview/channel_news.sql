-- The share of two channels now and a year ago. One row.
WITH counts AS (
  SELECT month, channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month IN ($month, $prior_year) AND is_customer_initiated
  GROUP BY month, channel
), shares AS (
  SELECT month,
         SUM(CASE WHEN channel = 'MB' THEN transactions ELSE 0 END) / CAST(SUM(transactions) AS DOUBLE) AS mobile,
         SUM(CASE WHEN channel = 'CN' THEN transactions ELSE 0 END) / CAST(SUM(transactions) AS DOUBLE) AS counter
  FROM counts
  GROUP BY month
), figures AS (
  SELECT MAX(CASE WHEN month = $month      THEN mobile END)  AS mobile,
         MAX(CASE WHEN month = $prior_year THEN mobile END)  AS mobile_prior_year,
         MAX(CASE WHEN month = $month      THEN counter END) AS counter,
         MAX(CASE WHEN month = $prior_year THEN counter END) AS counter_prior_year
  FROM shares
)
SELECT *, mobile - mobile_prior_year AS mobile_change, counter - counter_prior_year AS counter_change
FROM figures
