-- 13 months of the default scorecard: the whole and the weight with values.
SELECT s.period_start AS month, s.score, s.covered_weight AS covered
FROM evaluation.scorecard_score s
JOIN evaluation.scorecard c ON c.scorecard = s.scorecard
WHERE c.is_default AND s.perspective IS NULL AND s.organisation = $scope AND s.period_start BETWEEN $prior_year AND $month
ORDER BY s.period_start
