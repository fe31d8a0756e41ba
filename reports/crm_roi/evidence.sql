-- Benefits: what each claims of which fact, the evidence that counts, and what risk and evidence leave of it.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
), claimed AS (
  SELECT c.case_id, c.line, MIN(c.period) AS first_period, MAX(c.period) AS last_period, SUM(c.amount) AS amount
  FROM evaluation.roi_claim c
  JOIN picked p ON p.case_id = c.case_id
  GROUP BY c.case_id, c.line
)
SELECT concat(l.code, ' ', coalesce(NULLIF(CASE WHEN $lang = 'en' THEN l.name_en ELSE l.name END, ''), l.line)) AS name,
       coalesce(l.fact, CASE WHEN $lang = 'en' THEN 'declared' ELSE '自行申报' END) AS fact,
       CASE WHEN c.first_period = c.last_period THEN c.first_period
            WHEN c.first_period IS NOT NULL THEN concat(c.first_period, ' – ', c.last_period) END AS periods,
       c.amount,
       CASE WHEN l.grade <> l.counted_grade THEN concat(l.counted_grade, ' (', l.grade, ')') ELSE l.counted_grade END AS grade,
       coalesce(l.share, 1) * coalesce(l.converted, 1) AS share, l.risk, l.haircut, l.worth_entered, l.worth_adjusted
FROM evaluation.roi_line l
JOIN picked p ON p.case_id = l.case_id
LEFT JOIN claimed c ON c.case_id = l.case_id AND c.line = l.line
WHERE l.is_benefit
ORDER BY l.position
