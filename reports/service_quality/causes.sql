-- Causes by complaints of the year so far, changes on the same months of the year before; then the total, which is asked
-- for.
WITH now AS (
  SELECT GROUPING(cause) = 1 AS is_total, coalesce(cause, '') AS cause,
         CASE WHEN $lang = 'en' THEN cause_name_en ELSE cause_name END AS name,
         SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time, MEASURE(average_open_days) AS days,
         SUM(reopened) AS reopened, SUM(compensation) AS compensation
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((cause, cause_name, cause_name_en), ())
), before AS (
  SELECT GROUPING(cause) = 1 AS is_total, coalesce(cause, '') AS cause, SUM(complaints) AS complaints,
         MEASURE(in_time_rate) AS in_time
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((cause), ())
), severe AS (
  SELECT coalesce(cause, '') AS cause, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $year_from AND $month AND severity = 'high'
  GROUP BY GROUPING SETS ((cause), ())
)
SELECT n.is_total, CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       n.complaints, CAST(n.complaints AS DOUBLE) / NULLIF(w.complaints, 0)      AS share,
       CASE WHEN v.complaints > 0 THEN n.complaints - coalesce(b.complaints, 0) END  AS complaints_change,
       coalesce(s.complaints, 0) AS severe,
       n.in_time, CAST(n.in_time AS DOUBLE) - CAST(b.in_time AS DOUBLE)          AS in_time_change,
       n.days, n.reopened, n.compensation
FROM now n
CROSS JOIN (SELECT complaints FROM now WHERE is_total) AS w
LEFT JOIN (SELECT complaints FROM before WHERE is_total) AS v ON TRUE
LEFT JOIN before b ON b.cause = n.cause
LEFT JOIN severe s ON s.cause = n.cause
WHERE n.complaints > 0
ORDER BY n.is_total, n.complaints DESC, n.cause
