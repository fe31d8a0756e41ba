-- Complaints by unit and month, 13 months, the most first; none is a number. Where one branch only is to be seen, its
-- offices stand in place of branches.
WITH counts AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, coalesce(branch_code, org_id) AS unit, month,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en, month), (org_id, outlet, org_name_en, month))
), level AS (
  SELECT COUNT(DISTINCT unit) > 1 AS whole FROM counts WHERE is_branch
), months AS (
  SELECT month FROM service WHERE month BETWEEN $prior_year AND $month GROUP BY month
), units AS (
  SELECT unit, name, SUM(complaints) AS whole FROM counts CROSS JOIN level l WHERE is_branch = l.whole GROUP BY unit, name
)
SELECT m.month, u.name, CASE WHEN l.whole THEN u.unit END AS branch_code, coalesce(c.complaints, 0) AS complaints
FROM units u
CROSS JOIN level l
CROSS JOIN months m
LEFT JOIN counts c ON c.unit = u.unit AND c.month = m.month
ORDER BY u.whole DESC, u.unit, m.month
