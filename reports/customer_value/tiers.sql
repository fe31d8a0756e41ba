-- Tiers: customers, contribution, balances and what they hold, then the total, which is asked for and not added up.
WITH earned AS (
  SELECT GROUPING(tier) = 1 AS is_total, tier, MEASURE(customers) AS customers, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((tier), ())
), earned_before AS (
  SELECT tier, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((tier), ())
), each_one AS (
  SELECT customer_id, tier, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id, tier
), losers AS (
  SELECT tier, COUNT(*) AS customers FROM each_one WHERE contribution < 0 GROUP BY GROUPING SETS ((tier), ())
), saved AS (
  SELECT tier, SUM(balance) AS balance FROM deposits WHERE month = $month GROUP BY GROUPING SETS ((tier), ())
), lent AS (
  SELECT tier, SUM(outstanding) AS outstanding FROM credit WHERE month = $month GROUP BY GROUPING SETS ((tier), ())
), holdings AS (
  SELECT customer_id, tier, product_family FROM deposits WHERE month = $month
  GROUP BY customer_id, tier, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, tier, product_family FROM wealth WHERE month = $month
  GROUP BY customer_id, tier, product_family HAVING SUM(accounts) > 0
  UNION ALL
  SELECT customer_id, tier, product_family FROM credit WHERE month = $month
  GROUP BY customer_id, tier, product_family HAVING SUM(loans) > 0
), held AS (
  SELECT tier, CAST(COUNT(*) AS DOUBLE) / COUNT(DISTINCT customer_id) AS families
  FROM holdings
  GROUP BY GROUPING SETS ((tier), ())
), whole AS (
  SELECT customers, contribution FROM earned WHERE is_total
)
SELECT e.is_total,
       CASE WHEN e.is_total AND $lang = 'en' THEN 'Total'      WHEN e.is_total THEN '合计'
            WHEN $lang = 'en' THEN CONCAT(UPPER(SUBSTR(e.tier, 1, 1)), SUBSTR(e.tier, 2))
            WHEN e.tier = 'premium'    THEN '优质'  WHEN e.tier = 'ordinary'  THEN '普通'
            WHEN e.tier = 'restricted' THEN '限制'  WHEN e.tier = 'potential' THEN '潜在' ELSE e.tier END AS tier_name,
       e.customers, CAST(e.customers AS DOUBLE) / NULLIF(w.customers, 0) AS customers_share,
       e.contribution,
       CASE WHEN w.contribution > 0 THEN CAST(e.contribution AS DOUBLE) / CAST(w.contribution AS DOUBLE) END AS share,
       e.contribution - b.contribution                         AS since_prior_year,
       CAST(e.contribution AS DOUBLE) / NULLIF(e.customers, 0) AS per_customer,
       coalesce(l.customers, 0)                                AS losing,
       s.balance, c.outstanding, h.families
FROM earned e
CROSS JOIN whole w
LEFT JOIN earned_before b ON coalesce(b.tier, '') = coalesce(e.tier, '')
LEFT JOIN losers l        ON coalesce(l.tier, '') = coalesce(e.tier, '')
LEFT JOIN saved s         ON coalesce(s.tier, '') = coalesce(e.tier, '')
LEFT JOIN lent c          ON coalesce(c.tier, '') = coalesce(e.tier, '')
LEFT JOIN held h          ON coalesce(h.tier, '') = coalesce(e.tier, '')
ORDER BY e.is_total, CASE e.tier WHEN 'premium' THEN 1 WHEN 'ordinary' THEN 2 WHEN 'potential' THEN 3 ELSE 4 END
