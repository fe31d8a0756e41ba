-- Product families: who holds them, now and a year before, and what they bring.
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
), holders AS (
  SELECT product_family, COUNT(*) AS customers FROM now GROUP BY product_family
), holders_before AS (
  SELECT product_family, COUNT(*) AS customers FROM before GROUP BY product_family
), whole AS (
  SELECT COUNT(DISTINCT customer_id) AS customers FROM now
), earned AS (
  SELECT product_family, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((product_family), ())
), earned_before AS (
  SELECT product_family, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((product_family), ())
)
SELECT e.product_family IS NULL AS is_total,
       CASE WHEN e.product_family IS NULL THEN CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END
            WHEN e.product_family = 'deposit' THEN CASE WHEN $lang = 'en' THEN 'Deposits' ELSE '存款' END
            WHEN e.product_family = 'loan'    THEN CASE WHEN $lang = 'en' THEN 'Loans'    ELSE '贷款' END
            WHEN e.product_family = 'card'    THEN CASE WHEN $lang = 'en' THEN 'Cards'    ELSE '信用卡' END
            WHEN e.product_family = 'wealth'  THEN CASE WHEN $lang = 'en' THEN 'Wealth'   ELSE '理财' END
            ELSE e.product_family END AS family_name,
       CASE WHEN e.product_family IS NULL THEN w.customers ELSE coalesce(h.customers, 0) END AS customers,
       CASE WHEN e.product_family IS NULL THEN NULL
            ELSE CAST(coalesce(h.customers, 0) AS DOUBLE) / NULLIF(w.customers, 0) END AS penetration,
       CASE WHEN e.product_family IS NULL THEN NULL
            ELSE coalesce(h.customers, 0) - b.customers END AS customers_change,
       e.contribution, e.contribution - eb.contribution AS since_prior_year
FROM earned e
CROSS JOIN whole w
LEFT JOIN holders h ON h.product_family = e.product_family
LEFT JOIN holders_before b ON b.product_family = e.product_family
LEFT JOIN earned_before eb ON coalesce(eb.product_family, '') = coalesce(e.product_family, '')
ORDER BY is_total, e.contribution DESC, e.product_family
