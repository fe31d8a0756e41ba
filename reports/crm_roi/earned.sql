-- Benefits of the case beside the contribution of the same organisation's customers, year by year, as far as there are data.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
), own AS (
  SELECT c.case_id
  FROM evaluation.roi_case c
  JOIN picked p ON p.case_id = c.case_id
  WHERE c.organisation = $scope
), planned AS (
  SELECT date_part('year', f.period_start) AS year, SUM(f.benefits) AS benefits, SUM(f.costs) AS costs
  FROM evaluation.roi_flow f
  JOIN own o ON o.case_id = f.case_id
  WHERE f.view = 'entered' AND f.period_no > 0
  GROUP BY date_part('year', f.period_start)
), came AS (
  SELECT date_part('year', c.period_start) AS year,
         CAST(SUM(CAST(c.actual AS DOUBLE) * coalesce(l.share, 1) * coalesce(l.converted, 1)) AS DECIMAL(18,2)) AS benefits
  FROM evaluation.roi_cash c
  JOIN own o ON o.case_id = c.case_id
  JOIN evaluation.roi_line l ON l.case_id = c.case_id AND l.line = c.line
  WHERE c.is_benefit AND c.period_no > 0 AND c.actual IS NOT NULL
  GROUP BY date_part('year', c.period_start)
), months AS (
  SELECT month, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $from AND $month
  GROUP BY month
), earned AS (
  SELECT date_part('year', month) AS year, SUM(contribution) AS contribution
  FROM months
  GROUP BY date_part('year', month)
)
SELECT CAST(CAST(p.year AS BIGINT) AS VARCHAR) AS year, e.contribution, p.benefits AS planned, c.benefits AS came, p.costs,
       CAST(p.benefits AS DOUBLE) / CAST(NULLIF(e.contribution, 0) AS DOUBLE) AS planned_share,
       CAST(c.benefits AS DOUBLE) / CAST(NULLIF(e.contribution, 0) AS DOUBLE) AS came_share
FROM planned p
LEFT JOIN came c ON c.year = p.year
LEFT JOIN earned e ON e.year = p.year
ORDER BY year
