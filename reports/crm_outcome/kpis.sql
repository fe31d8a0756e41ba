-- Each KPI of the default scorecard in the month: of a KPI the value of the shortest period around it. Values have units of
-- their own, so they are printed here.
WITH counted AS (
  SELECT k.position, k.kpi, CASE WHEN $lang = 'en' THEN k.perspective_name_en ELSE k.perspective_name END AS factor
  FROM evaluation.scorecard_kpi k
  JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
  WHERE c.is_default
), judged AS (
  SELECT v.*, ROW_NUMBER() OVER (PARTITION BY v.kpi ORDER BY v.period_start DESC, v.period_end) AS place
  FROM evaluation.kpi_value v
  WHERE v.organisation = $scope AND v.period_start <= $month AND v.period_end >= $month
), numbers AS (
  SELECT kpi, 'value' AS what, value AS figure FROM judged WHERE place = 1
  UNION ALL SELECT kpi, 'target', target FROM judged WHERE place = 1
  UNION ALL SELECT kpi, 'low', target_low FROM judged WHERE place = 1
  UNION ALL SELECT kpi, 'high', target_high FROM judged WHERE place = 1
), printed AS (
  SELECT n.kpi, n.what,
         CASE WHEN n.figure IS NULL THEN NULL
              WHEN k.unit = 'percent' THEN concat(CAST(CAST(n.figure * 100 AS DECIMAL(18, 2)) AS VARCHAR), '%')
              WHEN k.unit = 'CNY' AND $lang = 'en' THEN concat('CNY ', CAST(CAST(n.figure AS DECIMAL(18, 0)) AS VARCHAR))
              WHEN k.unit = 'CNY' AND abs(n.figure) >= 100000
                THEN concat(CAST(CAST(n.figure / 10000 AS DECIMAL(18, 1)) AS VARCHAR), ' 万元')
              WHEN k.unit = 'CNY' THEN concat(CAST(CAST(n.figure AS DECIMAL(18, 0)) AS VARCHAR), ' 元')
              ELSE concat(CAST(CAST(n.figure AS DECIMAL(18, 2)) AS VARCHAR),
                          CASE WHEN $lang = 'en' AND k.unit <> 'count' THEN concat(' ', k.unit)
                               WHEN k.unit = 'points'    THEN ' 分'
                               WHEN k.unit = 'customers' THEN ' 户'
                               WHEN k.unit = 'days'      THEN ' 天'
                               WHEN k.unit = 'seconds'   THEN ' 秒'
                               WHEN k.unit = 'hours'     THEN ' 小时' ELSE '' END) END AS shown
  FROM numbers n
  JOIN evaluation.kpi k ON k.kpi = n.kpi
), texts AS (
  SELECT kpi, MAX(CASE WHEN what = 'value' THEN shown END) AS value, MAX(CASE WHEN what = 'target' THEN shown END) AS target,
         MAX(CASE WHEN what = 'low' THEN shown END) AS low, MAX(CASE WHEN what = 'high' THEN shown END) AS high
  FROM printed
  GROUP BY kpi
)
SELECT c.factor, CASE WHEN $lang = 'en' THEN k.name_en ELSE k.name END AS name, t.value,
       CASE WHEN t.target IS NOT NULL AND k.direction = 'lower' THEN concat('≤ ', t.target)
            WHEN t.target IS NOT NULL THEN concat('≥ ', t.target)
            WHEN t.low IS NOT NULL THEN concat(t.low, ' – ', t.high) END AS target,
       j.attainment,
       CASE j.light WHEN 'green'  THEN CASE WHEN $lang = 'en' THEN 'green'  ELSE '绿灯' END
                    WHEN 'yellow' THEN CASE WHEN $lang = 'en' THEN 'yellow' ELSE '黄灯' END
                    WHEN 'red'    THEN CASE WHEN $lang = 'en' THEN 'red'    ELSE '红灯' END END AS light,
       j.period,
       CASE WHEN j.kpi IS NULL THEN NULL
            WHEN j.entered_by_hand THEN CASE WHEN $lang = 'en' THEN 'by hand' ELSE '人工录入' END
            WHEN $lang = 'en' THEN concat('snapshot ', CAST(j.snapshot_id AS VARCHAR))
            ELSE concat('快照 ', CAST(j.snapshot_id AS VARCHAR)) END AS source,
       CASE WHEN $lang = 'en' THEN k.owner_en ELSE k.owner END AS owner
FROM counted c
JOIN evaluation.kpi k ON k.kpi = c.kpi
LEFT JOIN (SELECT * FROM judged WHERE place = 1) AS j ON j.kpi = c.kpi
LEFT JOIN texts t ON t.kpi = c.kpi
ORDER BY c.position
