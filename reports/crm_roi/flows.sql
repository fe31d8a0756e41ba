-- Flows by period: adjusted, and as entered beside it.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT CASE WHEN f.period_no = 0 THEN 't = 0'
            WHEN c.period = 'year' THEN substr(CAST(f.period_start AS VARCHAR), 1, 4)
            ELSE substr(CAST(f.period_start AS VARCHAR), 1, 7) END AS period,
       MAX(CASE WHEN f.view = 'adjusted' THEN f.benefits END)   AS benefits,
       MAX(CASE WHEN f.view = 'adjusted' THEN f.costs END)      AS costs,
       MAX(CASE WHEN f.view = 'adjusted' THEN f.tax END)        AS tax,
       MAX(CASE WHEN f.view = 'adjusted' THEN f.net END)        AS net,
       MAX(CASE WHEN f.view = 'adjusted' THEN f.discounted END) AS discounted,
       MAX(CASE WHEN f.view = 'adjusted' THEN f.cumulative END) AS cumulative,
       MAX(CASE WHEN f.view = 'entered'  THEN f.net END)        AS net_entered,
       MAX(CASE WHEN f.view = 'entered'  THEN f.cumulative END) AS cumulative_entered,
       MAX(CASE WHEN f.view = 'outlook'  THEN f.cumulative END) AS cumulative_outlook
FROM evaluation.roi_flow f
JOIN picked p ON p.case_id = f.case_id
JOIN evaluation.roi_case c ON c.case_id = f.case_id
GROUP BY f.period_no, f.period_start, c.period
ORDER BY f.period_no
