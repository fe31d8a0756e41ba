-- Whose month-end balance swung most within 12 months: the highest over the lowest. One row.
WITH months AS (
  SELECT GROUPING(branch_code) = 0     AS is_branch,
         coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         month,
         SUM(balance)                  AS balance
  FROM deposits
  WHERE month BETWEEN $year_back AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en, month), (org_id, outlet, org_name_en, month))
), level AS (
  SELECT COUNT(DISTINCT unit) > 1 AS whole FROM months WHERE is_branch
), spreads AS (
  SELECT m.unit, m.name, CAST(MAX(m.balance) AS DOUBLE) / CAST(MIN(m.balance) AS DOUBLE) AS spread
  FROM months m CROSS JOIN level l
  WHERE m.is_branch = l.whole
  GROUP BY m.unit, m.name
  HAVING MIN(m.balance) > 0
), placed AS (
  SELECT name, spread, ROW_NUMBER() OVER (ORDER BY spread DESC, unit) AS place, COUNT(*) OVER () AS units
  FROM spreads
)
SELECT MAX(CASE WHEN place = 1 THEN name END)                 AS widest,
       MAX(CASE WHEN place = 1 THEN spread END)               AS widest_spread,
       MEDIAN(spread)                                         AS middle_spread
FROM placed
