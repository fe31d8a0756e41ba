-- Issues by class of cause, most first.
SELECT CASE WHEN $lang = 'en' THEN cause_name_en ELSE cause_name END AS name, COUNT(*) AS issues
FROM evaluation.issue
WHERE $scope = 'head_office' OR organisation = $scope
GROUP BY cause, cause_name, cause_name_en
ORDER BY issues DESC, cause
