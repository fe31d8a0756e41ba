-- How far what came lies from the plan. One row.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT MAX(CASE WHEN r.line IS NULL THEN r.effect END)                     AS effect,
       COUNT(CASE WHEN r.periods_known > 0 THEN 1 END)                     AS tracked,
       COUNT(CASE WHEN r.periods_known > 0 AND r.effect < 0 THEN 1 END)    AS behind
FROM evaluation.roi_review r
JOIN picked p ON p.case_id = r.case_id
