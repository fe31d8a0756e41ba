-- The product with the highest share of overdue balances. One row.
WITH products AS (
  SELECT product, CASE WHEN $lang = 'en' THEN product_name_en ELSE product_name END AS name,
         MEASURE(overdue_ratio) AS overdue_ratio, SUM(outstanding) AS outstanding
  FROM credit
  WHERE month = $month
  GROUP BY product, product_name, product_name_en
), placed AS (
  SELECT name, overdue_ratio, ROW_NUMBER() OVER (ORDER BY overdue_ratio DESC, product) AS worst,
         ROW_NUMBER() OVER (ORDER BY outstanding DESC, product) AS largest,
         CAST(outstanding AS DOUBLE) / CAST(SUM(outstanding) OVER () AS DOUBLE) AS share
  FROM products
)
SELECT MAX(CASE WHEN worst = 1 THEN name END)            AS worst,
       MAX(CASE WHEN worst = 1 THEN overdue_ratio END)   AS worst_ratio,
       MAX(CASE WHEN largest = 1 THEN name END)          AS largest,
       MAX(CASE WHEN largest = 1 THEN share END)         AS largest_share
FROM placed
