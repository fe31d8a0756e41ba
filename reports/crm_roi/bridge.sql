-- From nothing to the adjusted net present value: what each category of benefits brings and each of costs takes, after tax.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
), parts AS (
  SELECT CASE WHEN l.is_benefit THEN 1 ELSE 2 END AS part, l.code,
         CASE WHEN $lang = 'en' THEN l.category_name_en ELSE l.category_name END AS name,
         SUM(l.worth_adjusted) AS amount
  FROM evaluation.roi_line l
  JOIN picked p ON p.case_id = l.case_id
  WHERE l.worth_adjusted IS NOT NULL
  GROUP BY 1, 2, 3
), bridge AS (
  SELECT 0 AS part, '' AS code, CASE WHEN $lang = 'en' THEN 'Start = 0' ELSE '起点 = 0' END AS name,
         CAST(0 AS DECIMAL(28,2)) AS amount
  UNION ALL
  SELECT part, code, name, amount FROM parts
  UNION ALL
  SELECT 3, '', CASE WHEN $lang = 'en' THEN 'Net present value' ELSE '净现值' END, SUM(amount) FROM parts
)
SELECT name AS step, amount
FROM bridge
WHERE EXISTS (SELECT 1 FROM parts)
ORDER BY part, code
