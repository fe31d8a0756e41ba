-- Scenarios with their probabilities, then what is to be expected of them.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
), found AS (
  SELECT s.scenario, s.position, s.probability,
         MAX(CASE WHEN s.view = 'entered'  THEN s.npv END) AS npv_entered,
         MAX(CASE WHEN s.view = 'adjusted' THEN s.npv END) AS npv_adjusted,
         MAX(CASE WHEN s.view = 'adjusted' THEN s.roi END) AS roi_adjusted
  FROM evaluation.roi_scenario s
  JOIN picked p ON p.case_id = s.case_id
  GROUP BY s.scenario, s.position, s.probability
), expected AS (
  SELECT MAX(CASE WHEN r.view = 'entered'  THEN r.expected_npv END) AS npv_entered,
         MAX(CASE WHEN r.view = 'adjusted' THEN r.expected_npv END) AS npv_adjusted
  FROM evaluation.roi_result r
  JOIN picked p ON p.case_id = r.case_id
)
SELECT FALSE AS is_total, position, scenario AS name, probability, npv_entered, npv_adjusted, roi_adjusted
FROM found
UNION ALL
SELECT TRUE, 1000, CASE WHEN $lang = 'en' THEN 'Expected' ELSE '期望值' END, CAST(NULL AS DOUBLE), npv_entered, npv_adjusted,
       CAST(NULL AS DOUBLE)
FROM expected
WHERE npv_adjusted IS NOT NULL
ORDER BY position
