-- How much of the benefits is bound to facts, and what risk and evidence take off. One row.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT COUNT(CASE WHEN l.is_benefit THEN 1 END)                            AS benefits,
       COUNT(CASE WHEN l.is_benefit AND l.fact IS NOT NULL THEN 1 END)     AS bound,
       1 - CAST(SUM(CASE WHEN l.is_benefit THEN l.worth_adjusted END) AS DOUBLE)
         / CAST(NULLIF(SUM(CASE WHEN l.is_benefit THEN l.worth_entered END), 0) AS DOUBLE) AS taken_off
FROM evaluation.roi_line l
JOIN picked p ON p.case_id = l.case_id
