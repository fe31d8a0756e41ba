-- All cases that the page's organisation sees, with their figures in both conventions.
SELECT c.case_id, CASE WHEN $lang = 'en' THEN c.name_en ELSE c.name END AS name, c.organisation,
       CASE WHEN c.status = 'approved' AND $lang = 'en' THEN 'approved' WHEN c.status = 'approved' THEN '已批准'
            WHEN $lang = 'en' THEN 'draft' ELSE '草稿' END AS status,
       e.npv AS npv_entered, a.npv AS npv_adjusted, a.roi AS roi_adjusted, a.payback AS payback_adjusted, a.npv_positive
FROM evaluation.roi_case c
LEFT JOIN (SELECT * FROM evaluation.roi_result WHERE view = 'entered') e ON e.case_id = c.case_id
LEFT JOIN (SELECT * FROM evaluation.roi_result WHERE view = 'adjusted') a ON a.case_id = c.case_id
WHERE c.currency = 'CNY' AND (c.organisation = $scope OR ($scope = 'head_office' AND c.organisation IS NOT NULL))
ORDER BY CASE WHEN c.organisation = 'head_office' THEN 0 ELSE 1 END, c.organisation, c.case_id
