-- Each dimension: the newest locked level of the page's organisation, its target, and the bank's distribution.
SELECT CASE WHEN $lang = 'en' THEN d.name_en ELSE d.name END AS name,
       s.continuous AS current_level, s.staged AS staged_level, g.target_level, b.bank, b.branch_minimum, b.branch_median,
       s.evidence_share
FROM evaluation.maturity_dimension d
LEFT JOIN evaluation.maturity_bank b ON b.dimension = d.dimension
LEFT JOIN (SELECT * FROM evaluation.assessment_score WHERE organisation = $scope AND is_newest) s ON s.dimension = d.dimension
LEFT JOIN (SELECT * FROM evaluation.maturity_gap WHERE organisation = $scope) g ON g.dimension = d.dimension
ORDER BY d.position
