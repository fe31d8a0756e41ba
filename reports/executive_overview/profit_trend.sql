-- Contribution of 24 months.
SELECT month, SUM(contribution) AS contribution
FROM profit
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
