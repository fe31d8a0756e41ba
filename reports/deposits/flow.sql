-- How the change of deposits since the start of the year comes about, by what customers did. The parts add up: each customer
-- of either day stands in exactly one of them. It starts at zero and not at the balance, beside which steps are hard to see.
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
), parts AS (
  SELECT CASE WHEN was = 0 THEN 1 WHEN is_now = 0 THEN 4 WHEN is_now >= was THEN 2 ELSE 3 END AS part,
         COUNT(*) AS customers, SUM(is_now - was) AS amount
  FROM customers
  WHERE was <> 0 OR is_now <> 0
  GROUP BY 1
), bridge AS (
  SELECT 0 AS part, COUNT(CASE WHEN was <> 0 THEN 1 END) AS customers, CAST(0 AS DECIMAL(18,2)) AS amount FROM customers
  UNION ALL
  SELECT part, customers, amount FROM parts
  UNION ALL
  SELECT 5, COUNT(CASE WHEN is_now <> 0 THEN 1 END), SUM(is_now - was) FROM customers
)
SELECT CASE part WHEN 0 THEN CASE WHEN $lang = 'en' THEN 'Start of the year = 0' ELSE '年初 = 0' END
                 WHEN 1 THEN CASE WHEN $lang = 'en' THEN 'New customers'         ELSE '新增客户' END
                 WHEN 2 THEN CASE WHEN $lang = 'en' THEN 'Those who hold more'   ELSE '存量客户增加' END
                 WHEN 3 THEN CASE WHEN $lang = 'en' THEN 'Those who hold less'   ELSE '存量客户减少' END
                 WHEN 4 THEN CASE WHEN $lang = 'en' THEN 'Lost customers'        ELSE '流失客户' END
                 ELSE        CASE WHEN $lang = 'en' THEN 'Net change'            ELSE '净增' END END AS step,
       customers, amount
FROM bridge
WHERE EXISTS (SELECT 1 FROM held WHERE month = $base)
ORDER BY part
