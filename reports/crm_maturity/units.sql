-- Newest locked level of each dimension in each organisation that the reader sees.
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS name,
       CASE WHEN $lang = 'en' THEN d.name_en ELSE d.name END AS dimension, s.continuous AS level
FROM evaluation.assessment_score s
JOIN evaluation.organisation o ON o.organisation = s.organisation
JOIN evaluation.maturity_dimension d ON d.dimension = s.dimension
WHERE s.is_newest AND ($scope = 'head_office' OR s.organisation = $scope)
ORDER BY o.position, d.position
