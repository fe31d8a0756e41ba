-- 24 months: loans and what is wrong with them.
SELECT month, SUM(outstanding) AS outstanding, MEASURE(borrowers) AS borrowers, SUM(expected_loss) AS expected_loss,
       SUM(non_performing) AS non_performing, MEASURE(non_performing_ratio) AS npl_ratio,
       MEASURE(overdue_ratio) AS overdue_ratio
FROM credit
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
