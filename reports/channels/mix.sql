-- Transactions that customers start, by channel: share of each month's number, 13 months.
WITH counts AS (
  SELECT month, channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $prior_year AND $month AND is_customer_initiated
  GROUP BY month, channel
), months AS (
  SELECT month,
         CAST(SUM(transactions) AS DOUBLE)                                                            AS whole,
         SUM(CASE WHEN channel = 'MB' THEN transactions ELSE 0 END)                                   AS mobile,
         SUM(CASE WHEN channel = 'OB' THEN transactions ELSE 0 END)                                   AS online,
         SUM(CASE WHEN channel = 'AT' THEN transactions ELSE 0 END)                                   AS machine,
         SUM(CASE WHEN channel = 'CN' THEN transactions ELSE 0 END)                                   AS counter,
         SUM(CASE WHEN channel NOT IN ('MB', 'OB', 'AT', 'CN') THEN transactions ELSE 0 END)          AS other
  FROM counts
  GROUP BY month
)
SELECT month, mobile / whole AS mobile, online / whole AS online, machine / whole AS machine,
       counter / whole AS counter, other / whole AS other
FROM months
WHERE whole > 0
ORDER BY month
