-- The share of demand deposits now, a month before and at the start of the year. One row.
WITH balances AS (
  SELECT month, product_line, SUM(balance) AS balance
  FROM deposits
  WHERE month IN ($month, $prior_month, $base)
  GROUP BY month, product_line
), shares AS (
  SELECT month,
         CAST(SUM(balance) FILTER (WHERE product_line = 'demand') AS DOUBLE)
       / CAST(NULLIF(SUM(balance), 0) AS DOUBLE)               AS demand,
         SUM(balance) FILTER (WHERE product_line = 'demand')   AS demand_balance,
         SUM(balance) FILTER (WHERE product_line = 'time')     AS time_balance
  FROM balances
  GROUP BY month
), figures AS (
  SELECT MAX(CASE WHEN month = $month       THEN demand END)         AS demand,
         MAX(CASE WHEN month = $prior_month THEN demand END)         AS demand_prior_month,
         MAX(CASE WHEN month = $base        THEN demand END)         AS demand_year_start,
         MAX(CASE WHEN month = $month       THEN demand_balance END) AS demand_balance,
         MAX(CASE WHEN month = $base        THEN demand_balance END) AS demand_balance_year_start,
         MAX(CASE WHEN month = $month       THEN time_balance END)   AS time_balance,
         MAX(CASE WHEN month = $base        THEN time_balance END)   AS time_balance_year_start
  FROM shares
)
SELECT *, demand_balance - demand_balance_year_start AS demand_change, time_balance - time_balance_year_start AS time_change
FROM figures
