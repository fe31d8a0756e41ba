-- KPIs of the default scorecard around the go-live of projects. A step is told from chance where its interval leaves out 0.
WITH counted AS (
  SELECT k.kpi
  FROM evaluation.scorecard_kpi k
  JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
  WHERE c.is_default
), effects AS (
  SELECT e.*, k.position, k.unit, CASE WHEN $lang = 'en' THEN k.name_en ELSE k.name END AS name,
         CASE WHEN k.unit = 'percent' THEN 100 ELSE 1 END AS times
  FROM evaluation.kpi_effect e
  JOIN evaluation.kpi k ON k.kpi = e.kpi
  JOIN counted c ON c.kpi = e.kpi
  WHERE e.mean_before IS NOT NULL AND ($scope = 'head_office' OR e.organisation = $scope)
)
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Whole bank' ELSE '全行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS unit,
       e.name, substr(CAST(e.go_live AS VARCHAR), 1, 7) AS go_live,
       concat(CAST(e.periods_before AS VARCHAR), ' / ', CAST(e.periods_after AS VARCHAR)) AS months,
       CAST(CAST(e.mean_before * e.times AS DECIMAL(18, 2)) AS VARCHAR) AS mean_before,
       CAST(CAST(e.mean_after * e.times AS DECIMAL(18, 2)) AS VARCHAR) AS mean_after,
       CAST(CAST(e.step * e.times AS DECIMAL(18, 2)) AS VARCHAR) AS step,
       CASE WHEN e.step_low IS NOT NULL
            THEN concat(CAST(CAST(e.step_low * e.times AS DECIMAL(18, 2)) AS VARCHAR), ' – ',
                        CAST(CAST(e.step_high * e.times AS DECIMAL(18, 2)) AS VARCHAR)) END AS span,
       CASE WHEN e.step_low IS NULL THEN CASE WHEN $lang = 'en' THEN 'descriptive only' ELSE '仅作描述' END
            WHEN e.step_low > 0     THEN CASE WHEN $lang = 'en' THEN 'rose'             ELSE '显著上升' END
            WHEN e.step_high < 0    THEN CASE WHEN $lang = 'en' THEN 'fell'             ELSE '显著下降' END
            ELSE                         CASE WHEN $lang = 'en' THEN 'may be chance'    ELSE '可能出于偶然' END END AS verdict,
       CASE WHEN e.compared_change IS NOT NULL
            THEN concat(CAST(CAST(e.compared_change * e.times AS DECIMAL(18, 2)) AS VARCHAR),
                        CASE WHEN $lang = 'en' THEN ' (' ELSE '（' END, CAST(e.compared_branches AS VARCHAR),
                        CASE WHEN $lang = 'en' THEN ' branches)' ELSE ' 家）' END) END AS compared
FROM effects e
JOIN evaluation.organisation o ON o.organisation = e.organisation
ORDER BY o.position, e.position
