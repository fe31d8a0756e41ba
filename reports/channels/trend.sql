-- 24 months: how many transactions customers start, and the share that needs no member of staff.
SELECT month, SUM(transactions) AS transactions, MEASURE(electronic_share) AS electronic_share
FROM transactions
WHERE month BETWEEN $trend_from AND $month AND is_customer_initiated
GROUP BY month
ORDER BY month
