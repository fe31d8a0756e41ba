-- The ten units that depend most on their largest depositor.
WITH customers AS (
  SELECT GROUPING(branch_code) = 0     AS is_branch,
         coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         customer_id,
         SUM(balance)                  AS balance
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en, customer_id), (org_id, outlet, org_name_en, customer_id))
), level AS (
  SELECT COUNT(DISTINCT unit) > 1 AS whole FROM customers WHERE is_branch
), units AS (
  SELECT c.unit, c.name, l.whole, MAX(c.balance) AS largest, SUM(c.balance) AS balance
  FROM customers c CROSS JOIN level l
  WHERE c.is_branch = l.whole
  GROUP BY c.unit, c.name, l.whole
)
SELECT name, CASE WHEN whole THEN unit END AS branch_code, CAST(largest AS DOUBLE) / CAST(balance AS DOUBLE) AS share
FROM units
WHERE balance > 0
ORDER BY share DESC, unit
LIMIT 10
