-- Actions with what they changed, by due date. Changes are in the unit of the issue's KPI, those of percentages in points.
WITH changes AS (
  SELECT a.action, CASE WHEN k.unit = 'percent' THEN 100 ELSE 1 END AS times
  FROM evaluation.action a
  LEFT JOIN evaluation.issue i ON i.issue = a.issue
  LEFT JOIN evaluation.kpi k ON k.kpi = i.kpi
)
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS unit,
       a.title, a.owner_role AS owner, a.due,
       CASE WHEN a.status = 'open' AND a.due < $as_of THEN CASE WHEN $lang = 'en' THEN 'late' ELSE '逾期' END
            WHEN a.status = 'open'     THEN CASE WHEN $lang = 'en' THEN 'open'               ELSE '进行中' END
            WHEN a.status = 'done'     THEN CASE WHEN $lang = 'en' THEN 'done, not verified' ELSE '已完成，待验证' END
            WHEN a.status = 'verified' THEN CASE WHEN $lang = 'en' THEN 'verified'           ELSE '已验证' END
            ELSE                            CASE WHEN $lang = 'en' THEN 'dropped'            ELSE '已取消' END END AS status,
       a.cost, CAST(CAST(a.expected_change * c.times AS DECIMAL(18, 2)) AS VARCHAR) AS expected,
       CAST(CAST(a.actual_change * c.times AS DECIMAL(18, 2)) AS VARCHAR) AS actual,
       CASE a.method WHEN 'control_chart'             THEN CASE WHEN $lang = 'en' THEN 'control chart'    ELSE '控制图' END
                     WHEN 'difference_in_differences' THEN CASE WHEN $lang = 'en' THEN 'diff. in diff.'   ELSE '双重差分' END
                     WHEN 'before_after'              THEN CASE WHEN $lang = 'en' THEN 'before and after' ELSE '前后对比' END
       END AS method
FROM evaluation.action a
JOIN changes c ON c.action = a.action
JOIN evaluation.organisation o ON o.organisation = a.organisation
WHERE $scope = 'head_office' OR a.organisation = $scope
ORDER BY a.due, o.position, a.action
