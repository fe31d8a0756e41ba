-- Products by balance at the as-of month, changes on the last month of the year before; then the total, which is asked for.
WITH now AS (
  SELECT GROUPING(product) = 1 AS is_total, coalesce(product, '') AS product,
         CASE WHEN $lang = 'en' THEN product_name_en ELSE product_name END AS name,
         SUM(outstanding) AS outstanding, SUM(loans) AS loans, SUM(non_performing) AS non_performing,
         SUM(expected_loss) AS expected_loss,
         MEASURE(non_performing_ratio) AS npl_ratio, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $month
  GROUP BY GROUPING SETS ((product, product_name, product_name_en), ())
), before AS (
  SELECT coalesce(product, '') AS product, SUM(outstanding) AS outstanding,
         MEASURE(non_performing_ratio) AS npl_ratio, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $base
  GROUP BY GROUPING SETS ((product), ())
), whole AS (
  SELECT outstanding FROM now WHERE is_total
)
SELECT n.is_total, CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       n.outstanding, CAST(n.outstanding AS DOUBLE) / CAST(NULLIF(w.outstanding, 0) AS DOUBLE)      AS share,
       n.outstanding - b.outstanding                                                               AS since_year_start,
       n.loans, n.overdue_ratio,
       CAST(n.overdue_ratio AS DOUBLE) - CAST(b.overdue_ratio AS DOUBLE)                           AS overdue_change,
       n.non_performing, n.npl_ratio, CAST(n.npl_ratio AS DOUBLE) - CAST(b.npl_ratio AS DOUBLE)     AS npl_change,
       n.expected_loss
FROM now n
CROSS JOIN whole w
LEFT JOIN before b ON b.product = n.product
ORDER BY n.is_total, n.outstanding DESC, n.product
