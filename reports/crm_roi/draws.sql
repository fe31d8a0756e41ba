-- How the adjusted figures spread over the draws, with their simulation error.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT CASE r.view WHEN 'p10' THEN 'P10' WHEN 'p50' THEN CASE WHEN $lang = 'en' THEN 'Median' ELSE '中位数' END
                   WHEN 'p90' THEN 'P90' ELSE CASE WHEN $lang = 'en' THEN 'Mean' ELSE '均值' END END AS name,
       r.npv, r.npv_error, r.roi, r.roi_error
FROM evaluation.roi_result r
JOIN picked p ON p.case_id = r.case_id
WHERE r.view IN ('p10', 'p50', 'p90', 'mean')
ORDER BY CASE r.view WHEN 'p10' THEN 1 WHEN 'p50' THEN 2 WHEN 'p90' THEN 3 ELSE 4 END
