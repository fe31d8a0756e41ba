-- Deposits and customers of 24 months.
SELECT month, SUM(balance) AS balance, MEASURE(customers) AS customers
FROM deposits
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
