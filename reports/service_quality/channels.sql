-- Channels through which complaints came, the year so far, changes on the same months of the year before; then the total.
WITH now AS (
  SELECT GROUPING(channel) = 1 AS is_total, coalesce(channel, '') AS channel,
         CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time, MEASURE(average_open_days) AS days
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((channel, channel_name, channel_name_en), ())
), before AS (
  SELECT coalesce(channel, '') AS channel, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((channel), ())
)
SELECT n.is_total, CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       n.complaints, CAST(n.complaints AS DOUBLE) / NULLIF(w.complaints, 0) AS share,
       CASE WHEN v.complaints > 0 THEN n.complaints - coalesce(b.complaints, 0) END AS complaints_change, n.in_time, n.days
FROM now n
CROSS JOIN (SELECT complaints FROM now WHERE is_total) AS w
LEFT JOIN (SELECT complaints FROM before WHERE channel = '') AS v ON TRUE
LEFT JOIN before b ON b.channel = n.channel
WHERE n.complaints > 0
ORDER BY n.is_total, n.complaints DESC, n.channel
