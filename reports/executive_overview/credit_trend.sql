-- Loans and cards of 24 months.
SELECT month, SUM(outstanding) AS outstanding, MEASURE(non_performing_ratio) AS non_performing_ratio
FROM credit
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
