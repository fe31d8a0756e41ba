-- How far one line alone moves the adjusted net present value, the widest first.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT coalesce(NULLIF(CASE WHEN $lang = 'en' THEN l.name_en ELSE l.name END, ''), l.line) AS name, s.effect_p10, s.effect_p90
FROM evaluation.roi_swing s
JOIN picked p ON p.case_id = s.case_id
JOIN evaluation.roi_line l ON l.case_id = s.case_id AND l.line = s.line
WHERE s.effect_p10 <> 0 OR s.effect_p90 <> 0
ORDER BY s.place
LIMIT 12
