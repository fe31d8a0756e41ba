-- Contribution of 24 months, of all and of premium customers.
WITH parts AS (
  SELECT month, tier, SUM(contribution) AS contribution, MEASURE(customers) AS customers
  FROM profit
  WHERE month BETWEEN $trend_from AND $month
  GROUP BY GROUPING SETS ((month, tier), (month))
), months AS (
  SELECT month,
         MAX(CASE WHEN tier IS NULL     THEN contribution END) AS contribution,
         MAX(CASE WHEN tier IS NULL     THEN customers END)    AS customers,
         MAX(CASE WHEN tier = 'premium' THEN contribution END) AS premium
  FROM parts
  GROUP BY month
)
SELECT month, contribution, customers, CAST(contribution AS DOUBLE) / NULLIF(customers, 0) AS per_customer,
       CASE WHEN contribution > 0 THEN CAST(premium AS DOUBLE) / CAST(contribution AS DOUBLE) END AS premium_share
FROM months
ORDER BY month
