-- How long calls wait and how much is complained about, by unit, the year so far. Where one branch only is to be seen, its
-- offices stand in place of branches.
WITH calls AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(average_wait) AS wait
  FROM service
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), cases AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), people AS (
  SELECT coalesce(branch_code, org_id) AS unit, MEASURE(customers) AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM calls WHERE is_branch
)
SELECT c.name, CASE WHEN c.is_branch THEN c.unit END AS branch_code, c.wait,
       100 * CAST(coalesce(k.complaints, 0) AS DOUBLE) / NULLIF(p.customers, 0) AS per_hundred
FROM calls c
CROSS JOIN level l
LEFT JOIN cases k  ON k.unit = c.unit
LEFT JOIN people p ON p.unit = c.unit
WHERE c.is_branch = l.whole AND c.wait IS NOT NULL AND p.customers > 0
ORDER BY c.unit
