-- Products by line, each line and the whole with its total, which is asked for and not added up.
WITH held AS (
  SELECT GROUPING(product) = 1              AS is_total,
         GROUPING(product_line)             AS is_whole,
         product_line, product,
         CASE WHEN $lang = 'en' THEN product_line_name_en ELSE product_line_name END AS line_name,
         CASE WHEN $lang = 'en' THEN product_name_en ELSE product_name END           AS product_name,
         SUM(balance)                       AS balance,
         MEASURE(balance_vs_year_start)     AS since_year_start,
         MEASURE(balance_vs_year_start_pct) AS since_year_start_share,
         MEASURE(balance_daily_average)     AS daily_average,
         SUM(accounts)                      AS accounts,
         MEASURE(customers)                 AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((product_line, product_line_name, product_line_name_en, product, product_name, product_name_en),
                          (product_line, product_line_name, product_line_name_en), ())
), paid AS (
  SELECT product_line, product, MEASURE(cost_rate) AS cost_rate
  FROM deposits
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((product_line, product), (product_line), ())
), whole AS (
  SELECT balance FROM held WHERE is_whole = 1
)
SELECT h.is_total,
       CASE WHEN NOT h.is_total    THEN h.product_name
            WHEN h.is_whole = 0    THEN h.line_name
            WHEN $lang = 'en'      THEN 'Total' ELSE '合计' END AS product_name,
       h.balance,
       CAST(h.balance AS DOUBLE) / CAST(NULLIF(w.balance, 0) AS DOUBLE) AS share,
       h.since_year_start, h.since_year_start_share, h.daily_average, p.cost_rate, h.accounts, h.customers
FROM held h
CROSS JOIN whole w
LEFT JOIN paid p ON coalesce(p.product_line, '') = coalesce(h.product_line, '')
                AND coalesce(p.product, '') = coalesce(h.product, '')
WHERE h.balance IS NOT NULL
ORDER BY h.is_whole, h.product_line, h.is_total, h.product
