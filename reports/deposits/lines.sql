-- What deposits are made of, 13 months.
WITH balances AS (
  SELECT month, product_line, SUM(balance) AS balance
  FROM deposits
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY month, product_line
)
SELECT month,
       SUM(balance) FILTER (WHERE product_line = 'demand')                AS demand,
       SUM(balance) FILTER (WHERE product_line = 'time')                  AS time,
       SUM(balance) FILTER (WHERE product_line NOT IN ('demand', 'time')) AS other
FROM balances
GROUP BY month
ORDER BY month
