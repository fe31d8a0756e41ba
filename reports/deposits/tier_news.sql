-- The part of premium customers, now and at the start of the year. One row. Rounded as it is printed, so that a change which
-- prints as zero is called none.
WITH held AS (
  SELECT tier, SUM(balance) AS balance, SUM(balance_year_start) AS year_start, MEASURE(customers) AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((tier), ())
)
SELECT p.customers                                                                        AS customers,
       CAST(p.customers AS DOUBLE) / NULLIF(w.customers, 0)                               AS customers_share,
       CAST(p.balance AS DOUBLE) / CAST(NULLIF(w.balance, 0) AS DOUBLE)                   AS share,
       ROUND(CAST(p.balance AS DOUBLE) / CAST(NULLIF(w.balance, 0) AS DOUBLE)
           - CAST(p.year_start AS DOUBLE) / CAST(NULLIF(w.year_start, 0) AS DOUBLE), 3)   AS share_change
FROM held w LEFT JOIN held p ON p.tier = 'premium'
WHERE w.tier IS NULL
