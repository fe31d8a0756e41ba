-- Contribution and cost-income ratio of 24 months.
SELECT month, SUM(contribution) AS contribution, MEASURE(cost_income_ratio) AS cost_income_ratio
FROM profit
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
