-- 24 months: balance at month end, average over the days of the month, customers, cost.
SELECT month, SUM(balance) AS balance, MEASURE(balance_daily_average) AS daily_average, MEASURE(customers) AS customers,
       MEASURE(cost_rate) AS cost_rate
FROM deposits
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
