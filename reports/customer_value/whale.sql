-- What fifths of the earning customers bring, best first, and what the others take away again: the parts of the whole.
WITH customers AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
), parts AS (
  SELECT contribution,
         CASE WHEN contribution > 0
              THEN NTILE(5) OVER (PARTITION BY contribution > 0 ORDER BY contribution DESC, customer_id)
              ELSE 6 END AS part
  FROM customers
), sums AS (
  SELECT part, SUM(contribution) AS contribution, COUNT(*) AS customers FROM parts GROUP BY part
  UNION ALL
  SELECT 7, SUM(contribution), COUNT(*) FROM parts
)
SELECT CASE WHEN part = 1 THEN CASE WHEN $lang = 'en' THEN 'Best 20%'     ELSE '前20%' END
            WHEN part = 6 THEN CASE WHEN $lang = 'en' THEN 'Loss makers'  ELSE '亏损客户' END
            WHEN part = 7 THEN CASE WHEN $lang = 'en' THEN 'Total'        ELSE '合计' END
            ELSE CONCAT(CAST(part * 20 - 20 AS VARCHAR), '–', CAST(part * 20 AS VARCHAR), '%') END AS customer_group,
       customers, contribution
FROM sums
WHERE contribution IS NOT NULL
ORDER BY part
