-- Dimensions with a level and a target, for the radar.
SELECT CASE WHEN $lang = 'en' THEN d.name_en ELSE d.name END AS name, g.current_level, g.target_level
FROM evaluation.maturity_dimension d
JOIN evaluation.maturity_gap g ON g.dimension = d.dimension
WHERE g.organisation = $scope
ORDER BY d.position
LIMIT 8
