-- Product families per customer, now and a year before. One row.
WITH now AS (
  SELECT customer_id, product_family FROM deposits WHERE month = $month
  GROUP BY customer_id, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, product_family FROM wealth WHERE month = $month
  GROUP BY customer_id, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, product_family FROM credit WHERE month = $month
  GROUP BY customer_id, product_family HAVING SUM(loans) > 0
), before AS (
  SELECT customer_id, product_family FROM deposits WHERE month = $prior_year
  GROUP BY customer_id, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, product_family FROM wealth WHERE month = $prior_year
  GROUP BY customer_id, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, product_family FROM credit WHERE month = $prior_year
  GROUP BY customer_id, product_family HAVING SUM(loans) > 0
), sums AS (
  SELECT (SELECT COUNT(DISTINCT customer_id) FROM now)    AS customers,
         (SELECT COUNT(*) FROM now)                       AS holdings,
         (SELECT COUNT(DISTINCT customer_id) FROM before) AS customers_before,
         (SELECT COUNT(*) FROM before)                    AS holdings_before
)
SELECT CAST(holdings AS DOUBLE) / NULLIF(customers, 0)               AS families,
       CAST(holdings_before AS DOUBLE) / NULLIF(customers_before, 0) AS families_prior_year
FROM sums
