-- Deposits by tier of the customer, then the total.
WITH held AS (
  SELECT GROUPING(tier) = 1                 AS is_total,
         tier,
         SUM(balance)                       AS balance,
         MEASURE(balance_vs_year_start)     AS since_year_start,
         MEASURE(balance_vs_year_start_pct) AS since_year_start_share,
         MEASURE(balance_daily_average)     AS daily_average,
         MEASURE(customers)                 AS customers,
         MEASURE(customers) - MEASURE(customers_prior_year) AS customers_change
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((tier), ())
), whole AS (
  SELECT balance, customers FROM held WHERE is_total
)
SELECT h.is_total,
       CASE WHEN h.is_total AND $lang = 'en' THEN 'Total'      WHEN h.is_total THEN '合计'
            WHEN $lang = 'en' THEN CONCAT(UPPER(SUBSTR(h.tier, 1, 1)), SUBSTR(h.tier, 2))
            WHEN h.tier = 'premium'    THEN '优质'  WHEN h.tier = 'ordinary' THEN '普通'
            WHEN h.tier = 'restricted' THEN '限制'  WHEN h.tier = 'potential' THEN '潜在' ELSE h.tier END AS tier_name,
       h.balance, CAST(h.balance AS DOUBLE) / CAST(NULLIF(w.balance, 0) AS DOUBLE) AS share,
       h.since_year_start, h.since_year_start_share, h.daily_average,
       h.customers, h.customers_change,
       CAST(h.balance AS DOUBLE) / NULLIF(h.customers, 0) AS balance_per_customer
FROM held h CROSS JOIN whole w
WHERE h.balance IS NOT NULL
ORDER BY h.is_total, CASE h.tier WHEN 'premium' THEN 1 WHEN 'ordinary' THEN 2 WHEN 'potential' THEN 3 ELSE 4 END
