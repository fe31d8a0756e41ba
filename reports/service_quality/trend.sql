-- 24 months of complaints.
SELECT month, SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time, MEASURE(average_open_days) AS days
FROM complaints
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
