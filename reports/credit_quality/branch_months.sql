-- Share of overdue balances by unit and month, 13 months, of units that had any; the worst of the last month first. Where
-- one branch only is to be seen, its offices stand in place of branches.
WITH months AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, coalesce(branch_code, org_id) AS unit, month,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en, month), (org_id, outlet, org_name_en, month))
), level AS (
  SELECT COUNT(DISTINCT unit) > 1 AS whole FROM months WHERE is_branch
), units AS (
  SELECT unit, MAX(overdue_ratio) AS worst, MAX(CASE WHEN month = $month THEN overdue_ratio END) AS last
  FROM months CROSS JOIN level
  WHERE is_branch = whole
  GROUP BY unit
)
SELECT m.month, m.name, CASE WHEN m.is_branch THEN m.unit END AS branch_code, m.overdue_ratio
FROM months m
CROSS JOIN level l
JOIN units u ON u.unit = m.unit
WHERE m.is_branch = l.whole AND u.worst > 0
ORDER BY u.last DESC NULLS LAST, u.worst DESC, m.unit, m.month
