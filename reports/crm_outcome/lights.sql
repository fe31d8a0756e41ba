-- Lights of the KPIs of the default scorecard in the month; of a KPI the value of the shortest period around it. One row.
WITH counted AS (
  SELECT k.kpi
  FROM evaluation.scorecard_kpi k
  JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
  WHERE c.is_default
), judged AS (
  SELECT v.kpi, v.light, ROW_NUMBER() OVER (PARTITION BY v.kpi ORDER BY v.period_start DESC, v.period_end) AS place
  FROM evaluation.kpi_value v
  JOIN counted k ON k.kpi = v.kpi
  WHERE v.organisation = $scope AND v.period_start <= $month AND v.period_end >= $month
)
SELECT COUNT(CASE WHEN light = 'green'  THEN 1 END) AS green,
       COUNT(CASE WHEN light = 'yellow' THEN 1 END) AS yellow,
       COUNT(CASE WHEN light = 'red'    THEN 1 END) AS red
FROM judged
WHERE place = 1
