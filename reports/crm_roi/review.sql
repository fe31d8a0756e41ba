-- Lines against their plan in the periods that have an actual, then what all of them do to the net flow.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT r.line IS NULL AS is_total,
       CASE WHEN r.line IS NOT NULL THEN coalesce(NULLIF(CASE WHEN $lang = 'en' THEN l.name_en ELSE l.name END, ''), l.line)
            WHEN $lang = 'en' THEN 'Effect on the net flow' ELSE '对净现金流的影响' END AS name,
       r.periods_known, r.planned, r.actual, r.effect,
       CAST(r.effect AS DOUBLE) / CAST(NULLIF(r.planned, 0) AS DOUBLE) AS effect_share
FROM evaluation.roi_review r
JOIN picked p ON p.case_id = r.case_id
LEFT JOIN evaluation.roi_line l ON l.case_id = r.case_id AND l.line = r.line
WHERE r.line IS NULL OR r.periods_known > 0
ORDER BY is_total, l.position
