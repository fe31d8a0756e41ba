-- New and lost customers since the start of the year. One row; the same parts as in flow.sql.
WITH held AS (
  SELECT customer_id, month, SUM(balance) AS balance
  FROM deposits
  WHERE month IN ($base, $month)
  GROUP BY customer_id, month
), customers AS (
  SELECT customer_id,
         coalesce(MAX(CASE WHEN month = $base  THEN balance END), CAST(0 AS DECIMAL(18,2))) AS was,
         coalesce(MAX(CASE WHEN month = $month THEN balance END), CAST(0 AS DECIMAL(18,2))) AS is_now
  FROM held
  GROUP BY customer_id
)
SELECT COUNT(CASE WHEN was = 0 AND is_now <> 0 THEN 1 END)                       AS gained,
       coalesce(SUM(CASE WHEN was = 0 THEN is_now END), CAST(0 AS DECIMAL(18,2))) AS gained_amount,
       COUNT(CASE WHEN was <> 0 AND is_now = 0 THEN 1 END)                       AS lost,
       coalesce(SUM(CASE WHEN is_now = 0 THEN was END), CAST(0 AS DECIMAL(18,2))) AS lost_amount,
       SUM(CASE WHEN was <> 0 AND is_now <> 0 THEN is_now - was END)             AS kept_change
FROM customers
WHERE EXISTS (SELECT 1 FROM held WHERE month = $base)
