-- Each factor of the default scorecard by organisation in the month, as far as the reader sees them.
WITH factors AS (
  SELECT k.perspective, MIN(k.position) AS position, MAX(k.perspective_name) AS name, MAX(k.perspective_name_en) AS name_en
  FROM evaluation.scorecard_kpi k
  JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
  WHERE c.is_default
  GROUP BY k.perspective
)
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Whole bank' ELSE '全行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS name,
       CASE WHEN $lang = 'en' THEN f.name_en ELSE f.name END AS factor, s.score
FROM evaluation.scorecard_score s
JOIN evaluation.scorecard c ON c.scorecard = s.scorecard
JOIN evaluation.organisation o ON o.organisation = s.organisation
JOIN factors f ON f.perspective = s.perspective
WHERE c.is_default AND s.period_start = $month AND ($scope = 'head_office' OR s.organisation = $scope)
ORDER BY o.position, f.position
