-- Transactions at the counter in 12 months beside the same months of the year before.
WITH months AS (
  SELECT month, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $trend_from AND $month AND is_customer_initiated AND channel = 'CN'
  GROUP BY month
)
SELECT n.month, n.transactions, b.transactions AS transactions_prior_year
FROM months n
LEFT JOIN months b ON b.month = n.month - INTERVAL '12 months'
WHERE n.month >= $year_back
ORDER BY n.month
