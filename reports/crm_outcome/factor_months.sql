-- 13 months of each factor of the default scorecard.
WITH factors AS (
  SELECT k.perspective, MIN(k.position) AS position, MAX(k.perspective_name) AS name, MAX(k.perspective_name_en) AS name_en
  FROM evaluation.scorecard_kpi k
  JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
  WHERE c.is_default
  GROUP BY k.perspective
)
SELECT s.period_start AS month, CASE WHEN $lang = 'en' THEN f.name_en ELSE f.name END AS name, s.score
FROM evaluation.scorecard_score s
JOIN evaluation.scorecard c ON c.scorecard = s.scorecard
JOIN factors f ON f.perspective = s.perspective
WHERE c.is_default AND s.organisation = $scope AND s.period_start BETWEEN $prior_year AND $month
ORDER BY f.position, s.period_start
