-- Customers with one product family and with two or more. One row; counted as in depth.sql.
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
  SELECT customer_id, COUNT(*) AS families FROM holdings GROUP BY customer_id
), earned AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
), joined AS (
  SELECT c.families, e.contribution FROM customers c LEFT JOIN earned e ON e.customer_id = c.customer_id
)
SELECT CAST(COUNT(CASE WHEN families = 1 THEN 1 END) AS DOUBLE) / NULLIF(COUNT(*), 0)            AS single_share,
       COUNT(CASE WHEN families >= 2 THEN 1 END)                                                 AS deep,
       CAST(SUM(CASE WHEN families = 1 THEN contribution END) AS DOUBLE)
     / NULLIF(COUNT(CASE WHEN families = 1 THEN 1 END), 0)                                       AS single_per_customer,
       CAST(SUM(CASE WHEN families >= 2 THEN contribution END) AS DOUBLE)
     / NULLIF(COUNT(CASE WHEN families >= 2 THEN 1 END), 0)                                      AS deep_per_customer
FROM joined
