-- Kinds of transactions that customers start, the year so far: number, electronic share, the counter's part; then the total.
WITH now AS (
  SELECT GROUPING(txn_type) = 1    AS is_total,
         txn_type,
         CASE WHEN $lang = 'en' THEN txn_type_name_en ELSE txn_type_name END AS name,
         SUM(transactions)         AS transactions,
         MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY GROUPING SETS ((txn_type, txn_type_name, txn_type_name_en), ())
), before AS (
  SELECT txn_type, SUM(transactions) AS transactions, MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY GROUPING SETS ((txn_type), ())
), counter AS (
  SELECT txn_type, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated AND channel = 'CN'
  GROUP BY GROUPING SETS ((txn_type), ())
), whole AS (
  SELECT transactions FROM now WHERE is_total
)
SELECT n.is_total,
       CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       n.transactions, CAST(n.transactions AS DOUBLE) / NULLIF(w.transactions, 0) AS share,
       CAST(n.transactions AS DOUBLE) / NULLIF(b.transactions, 0) - 1 AS change,
       n.electronic_share,
       CAST(n.electronic_share AS DOUBLE) - CAST(b.electronic_share AS DOUBLE) AS electronic_change,
       coalesce(c.transactions, 0) AS counter_transactions,
       CAST(coalesce(c.transactions, 0) AS DOUBLE) / NULLIF(n.transactions, 0) AS counter_share
FROM now n
CROSS JOIN whole w
LEFT JOIN before b  ON coalesce(b.txn_type, '') = coalesce(n.txn_type, '')
LEFT JOIN counter c ON coalesce(c.txn_type, '') = coalesce(n.txn_type, '')
ORDER BY n.is_total, n.transactions DESC, n.txn_type
