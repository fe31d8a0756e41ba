-- The case that the page shows: the one asked for, else the newest of the page's organisation, approved ones first. One row.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT coalesce(MAX(CASE WHEN $lang = 'en' THEN c.name_en ELSE c.name END),
                CASE WHEN $lang = 'en' THEN 'There is no case yet' ELSE '尚无测算案例' END) AS name,
       MAX(CASE WHEN c.status = 'approved' AND $lang = 'en' THEN 'approved' WHEN c.status = 'approved' THEN '已批准'
                WHEN $lang = 'en' THEN 'draft' ELSE '草稿' END)                           AS status,
       MAX(CASE WHEN c.is_computed AND $lang = 'en' THEN 'computed as it stands' WHEN c.is_computed THEN '已按现状测算'
                WHEN $lang = 'en' THEN 'not computed as it stands' ELSE '尚未按现状测算' END) AS state,
       MAX(c.rate)                                                                        AS rate,
       MAX(c.target_roi)                                                                  AS target_roi,
       COUNT(c.case_id)                                                                   AS cases
FROM evaluation.roi_case c
JOIN picked p ON p.case_id = c.case_id
