-- Complaints and the share answered in time, 24 months.
SELECT month, SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time_rate
FROM complaints
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
