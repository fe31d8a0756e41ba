-- 24 months of calls and contacts.
SELECT month, MEASURE(average_wait) AS wait, MEASURE(abandoned_rate) AS abandoned,
       MEASURE(first_contact_resolution) AS resolved
FROM service
WHERE month BETWEEN $trend_from AND $month
GROUP BY month
ORDER BY month
