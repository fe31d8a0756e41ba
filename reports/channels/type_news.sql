-- What the counter is still used for most. One row.
WITH types AS (
  SELECT txn_type, CASE WHEN $lang = 'en' THEN txn_type_name_en ELSE txn_type_name END AS name,
         SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated AND channel = 'CN'
  GROUP BY txn_type, txn_type_name, txn_type_name_en
), placed AS (
  SELECT name, transactions, SUM(transactions) OVER () AS whole,
         ROW_NUMBER() OVER (ORDER BY transactions DESC, txn_type) AS place
  FROM types
)
SELECT STRING_AGG(name, CASE WHEN $lang = 'en' THEN ' and ' ELSE '和' END ORDER BY place)
         FILTER (WHERE place <= 2)                                           AS names,
       CAST(SUM(CASE WHEN place <= 2 THEN transactions END) AS DOUBLE) / MAX(whole) AS share,
       coalesce(MAX(whole), 0) AS transactions
FROM placed
