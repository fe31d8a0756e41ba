-- Gaps to the target by priority, of the organisations that the reader sees.
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS unit,
       g.priority_rank, CASE WHEN $lang = 'en' THEN d.name_en ELSE d.name END AS name,
       g.current_level, g.target_level, g.gap, g.priority
FROM evaluation.maturity_gap g
JOIN evaluation.organisation o ON o.organisation = g.organisation
JOIN evaluation.maturity_dimension d ON d.dimension = g.dimension
WHERE g.organisation = $scope AND g.gap > 0
ORDER BY g.priority_rank
