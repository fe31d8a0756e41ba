-- The figures that matter most, in both conventions. One row.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT MAX(CASE WHEN r.view = 'adjusted' THEN r.npv END) AS npv_adjusted,
       MAX(CASE WHEN r.view = 'entered' THEN r.npv END) AS npv_entered,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.roi END) AS roi_adjusted,
       MAX(CASE WHEN r.view = 'entered' THEN r.roi END) AS roi_entered,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.payback END) AS payback_adjusted,
       MAX(CASE WHEN r.view = 'entered' THEN r.payback END) AS payback_entered,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.irr END) AS irr_adjusted,
       MAX(CASE WHEN r.view = 'entered' THEN r.irr END) AS irr_entered,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.npv_positive END) AS npv_positive,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.roi_reached END) AS roi_reached,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.expected_npv END) AS expected_npv,
       MAX(CASE WHEN r.view = 'adjusted' THEN r.shortfall END) AS shortfall,
       MAX(CASE WHEN r.view = 'outlook' THEN r.npv END) AS npv_outlook
FROM evaluation.roi_result r
JOIN picked p ON p.case_id = r.case_id
