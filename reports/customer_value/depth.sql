-- Customers by the number of product families they hold, and what each brings this year on average.
WITH holdings AS (
  SELECT customer_id, product_family FROM deposits WHERE month = $month
  GROUP BY customer_id, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, product_family FROM wealth WHERE month = $month
  GROUP BY customer_id, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, product_family FROM credit WHERE month = $month
  GROUP BY customer_id, product_family HAVING SUM(loans) > 0
), customers AS (
  SELECT customer_id, LEAST(COUNT(*), 3) AS families FROM holdings GROUP BY customer_id
), earned AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
)
SELECT CASE WHEN c.families = 1 THEN CASE WHEN $lang = 'en' THEN '1 family'   ELSE '1 类' END
            WHEN c.families = 2 THEN CASE WHEN $lang = 'en' THEN '2 families' ELSE '2 类' END
            ELSE                     CASE WHEN $lang = 'en' THEN '3 or more'  ELSE '3 类及以上' END END AS families_held,
       COUNT(*) AS customers, SUM(e.contribution) AS contribution,
       CAST(SUM(e.contribution) AS DOUBLE) / COUNT(*) AS per_customer
FROM customers c
LEFT JOIN earned e ON e.customer_id = c.customer_id
GROUP BY c.families
ORDER BY c.families
