-- 12 months beside the same months of the year before, at month end.
SELECT month, SUM(balance) AS balance, SUM(balance_prior_year) AS balance_prior_year
FROM deposits
WHERE month BETWEEN $year_back AND $month
GROUP BY month
ORDER BY month
