-- Customers by how often they complained in the year so far, then all.
WITH customers AS (
  SELECT customer_id, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
), groups AS (
  SELECT CASE WHEN complaints > 2 THEN 3 ELSE complaints END AS times, COUNT(*) AS customers, SUM(complaints) AS complaints
  FROM customers
  GROUP BY 1
), whole AS (
  SELECT COUNT(*) AS customers, SUM(complaints) AS complaints FROM customers
)
SELECT g.times IS NULL AS is_total,
       CASE WHEN g.times IS NULL THEN CASE WHEN $lang = 'en' THEN 'Total'        ELSE '合计' END
            WHEN g.times = 1     THEN CASE WHEN $lang = 'en' THEN 'Once'         ELSE '1 次' END
            WHEN g.times = 2     THEN CASE WHEN $lang = 'en' THEN 'Twice'        ELSE '2 次' END
            ELSE                      CASE WHEN $lang = 'en' THEN 'Three or more' ELSE '3 次及以上' END END AS name,
       g.customers, CAST(g.customers AS DOUBLE) / w.customers AS customers_share,
       g.complaints, CAST(g.complaints AS DOUBLE) / w.complaints AS share
FROM (SELECT times, customers, complaints FROM groups
      UNION ALL SELECT NULL, customers, complaints FROM whole WHERE customers > 0) AS g
CROSS JOIN whole w
ORDER BY is_total, g.times
