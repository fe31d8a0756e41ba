-- Customers who brought something this year, best first, in ten groups of equal number. Shares need positive parts, so those
-- who cost more than they bring are in whale.sql.
WITH customers AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
  HAVING SUM(contribution) > 0
), groups AS (
  SELECT contribution, NTILE(10) OVER (ORDER BY contribution DESC, customer_id) AS tenth
  FROM customers
), sums AS (
  SELECT tenth, COUNT(*) AS customers, SUM(contribution) AS contribution
  FROM groups
  GROUP BY tenth
)
SELECT tenth,
       CASE WHEN tenth = 1 AND $lang = 'en' THEN 'Top 10%'
            WHEN tenth = 1                  THEN '前10%'
            ELSE CONCAT(CAST((tenth - 1) * 10 AS VARCHAR), '–', CAST(tenth * 10 AS VARCHAR), '%') END AS customer_group,
       customers, contribution
FROM sums
ORDER BY tenth
