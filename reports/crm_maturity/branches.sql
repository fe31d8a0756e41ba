-- Newest locked assessment of each organisation that the reader sees, with its change since the one before.
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS name,
       a.organisation, a.as_of, a.index_score, a.staged_level, c.change,
       CASE WHEN c.is_real IS NULL THEN NULL
            WHEN c.is_real AND $lang = 'en' THEN 'yes' WHEN c.is_real THEN '是'
            WHEN $lang = 'en' THEN 'may be chance' ELSE '可能出于偶然' END AS verdict,
       a.evidence_share
FROM evaluation.assessment a
JOIN evaluation.organisation o ON o.organisation = a.organisation
LEFT JOIN evaluation.maturity_change c ON c.assessment = a.assessment
WHERE a.is_newest AND ($scope = 'head_office' OR a.organisation = $scope)
ORDER BY a.index_score DESC NULLS LAST, o.position
