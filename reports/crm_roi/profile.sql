-- Net present value by discount rate, in both conventions.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT concat(CAST(CAST(r.rate * 100 AS DECIMAL(9,2)) AS VARCHAR), '%') AS at_rate,
       MAX(CASE WHEN r.view = 'entered'  THEN r.npv END)                AS npv_entered,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.npv END)                AS npv_adjusted
FROM evaluation.roi_profile r
JOIN picked p ON p.case_id = r.case_id
GROUP BY r.rate
ORDER BY r.rate
