-- Items of the newest locked assessments that count less for want of evidence, or whose assessors disagree.
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS unit,
       i.code, CASE WHEN $lang = 'en' THEN i.name_en ELSE i.name END AS name, s.score, s.lowest, s.highest,
       CASE WHEN s.disagreement AND $lang = 'en' THEN 'assessors disagree' WHEN s.disagreement THEN '评估人分歧'
            WHEN $lang = 'en' THEN 'no evidence' ELSE '无证据' END AS why
FROM evaluation.assessment_item s
JOIN evaluation.maturity_item i ON i.item = s.item
JOIN evaluation.organisation o ON o.organisation = s.organisation
WHERE s.is_newest AND (s.capped OR s.disagreement) AND ($scope = 'head_office' OR s.organisation = $scope)
ORDER BY o.position, i.position
