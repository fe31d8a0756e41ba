-- Channels of the year so far: number, share and share a year before, active customers and amount; then the total.
WITH now AS (
  SELECT GROUPING(channel) = 1  AS is_total,
         channel,
         CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         bool_or(is_electronic) AS is_electronic,
         SUM(transactions)      AS transactions,
         MEASURE(customers)     AS customers,
         SUM(amount)            AS amount,
         MEASURE(average_transaction) AS average_transaction
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY GROUPING SETS ((channel, channel_name, channel_name_en), ())
), before AS (
  SELECT channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY GROUPING SETS ((channel), ())
), whole AS (
  SELECT n.transactions, b.transactions AS transactions_before
  FROM now n LEFT JOIN before b ON b.channel IS NULL
  WHERE n.is_total
)
SELECT n.is_total,
       CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       CASE WHEN n.is_total THEN NULL WHEN n.is_electronic THEN CASE WHEN $lang = 'en' THEN 'yes' ELSE '是' END
            ELSE CASE WHEN $lang = 'en' THEN 'no' ELSE '否' END END AS electronic,
       n.transactions,
       CAST(n.transactions AS DOUBLE) / NULLIF(w.transactions, 0)        AS share,
       CAST(b.transactions AS DOUBLE) / NULLIF(w.transactions_before, 0) AS share_prior_year,
       CASE WHEN NOT n.is_total
            THEN CAST(n.transactions AS DOUBLE) / NULLIF(w.transactions, 0)
               - CAST(coalesce(b.transactions, 0) AS DOUBLE) / NULLIF(w.transactions_before, 0) END AS share_change,
       n.customers, n.amount, n.average_transaction
FROM now n
CROSS JOIN whole w
LEFT JOIN before b ON coalesce(b.channel, '') = coalesce(n.channel, '')
ORDER BY n.is_total, n.transactions DESC, n.channel
