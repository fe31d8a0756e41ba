-- Deposits of 24 months; from the 13th on with the same month of the year before.
SELECT month, SUM(balance) AS balance, MEASURE(balance_daily_average) AS daily_average, MEASURE(customers) AS customers,
       SUM(balance_prior_year) AS balance_prior_year
FROM deposits
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
