-- Each factor of the default scorecard in the month with its change on the year, then the whole.
WITH factors AS (
  SELECT k.perspective, MIN(k.position) AS position, MAX(k.perspective_name) AS name, MAX(k.perspective_name_en) AS name_en
  FROM evaluation.scorecard_kpi k
  JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
  WHERE c.is_default
  GROUP BY k.perspective
), scores AS (
  SELECT s.period_start AS month, coalesce(s.perspective, '') AS perspective, s.score, s.covered_weight, s.light
  FROM evaluation.scorecard_score s
  JOIN evaluation.scorecard c ON c.scorecard = s.scorecard
  WHERE c.is_default AND s.organisation = $scope AND s.period_start IN ($month, $prior_year)
), places AS (
  SELECT perspective, position, CASE WHEN $lang = 'en' THEN name_en ELSE name END AS name FROM factors
  UNION ALL
  SELECT '', 100000, CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END
)
SELECT p.perspective = '' AS is_total, p.name, n.score, ROUND(n.score - b.score, 3) AS change,
       CASE n.light WHEN 'green'  THEN CASE WHEN $lang = 'en' THEN 'green'  ELSE '绿灯' END
                    WHEN 'yellow' THEN CASE WHEN $lang = 'en' THEN 'yellow' ELSE '黄灯' END
                    WHEN 'red'    THEN CASE WHEN $lang = 'en' THEN 'red'    ELSE '红灯' END END AS light,
       coalesce(n.covered_weight, 0) AS covered
FROM places p
LEFT JOIN (SELECT * FROM scores WHERE month = $month) AS n      ON n.perspective = p.perspective
LEFT JOIN (SELECT * FROM scores WHERE month = $prior_year) AS b ON b.perspective = p.perspective
ORDER BY p.position
