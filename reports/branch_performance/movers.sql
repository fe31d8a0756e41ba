-- How the change of deposits over a year comes about: the five units that gained most, all others together, the five that
-- lost most. It starts at zero and not at the balance, beside which the steps would be too small to see.
WITH cells AS (
  SELECT GROUPING(branch_code) = 0     AS is_branch,
         GROUPING(org_id) = 0          AS is_office,
         coalesce(branch_code, org_id) AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(balance)                  AS balance,
         SUM(balance_prior_year)       AS prior
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM cells WHERE is_branch
), changes AS (
  SELECT c.unit, c.branch_code, c.name, coalesce(c.balance, 0) - coalesce(c.prior, 0) AS change
  FROM cells c CROSS JOIN level l
  WHERE CASE WHEN c.is_branch THEN l.whole ELSE c.is_office AND NOT l.whole END
), placed AS (
  SELECT name, branch_code, change,
         ROW_NUMBER() OVER (ORDER BY change DESC, unit) AS up,
         ROW_NUMBER() OVER (ORDER BY change, unit)      AS down
  FROM changes
), steps AS (
  SELECT 1 AS part, CAST(up AS BIGINT) AS place, name, branch_code, change FROM placed WHERE up <= 5 AND change > 0
  UNION ALL
  SELECT 2, 0, CASE WHEN $lang = 'en' THEN CONCAT(CAST(COUNT(*) AS VARCHAR), ' others')
                    ELSE CONCAT('其他 ', CAST(COUNT(*) AS VARCHAR), ' 家') END, CAST(NULL AS VARCHAR), SUM(change)
  FROM placed
  WHERE NOT (up <= 5 AND change > 0) AND NOT (down <= 5 AND change < 0)
  HAVING COUNT(*) > 0
  UNION ALL
  SELECT 3, 0 - CAST(down AS BIGINT), name, branch_code, change FROM placed WHERE down <= 5 AND change < 0
), bridge AS (
  SELECT 0 AS part, 0 AS place, CASE WHEN $lang = 'en' THEN 'A year ago = 0' ELSE '上年同期 = 0' END AS name,
         CAST(NULL AS VARCHAR) AS branch_code, CAST(0 AS DECIMAL(18,2)) AS amount
  UNION ALL
  SELECT part, place, name, branch_code, change FROM steps
  UNION ALL
  SELECT 4, 0, CASE WHEN $lang = 'en' THEN 'Net change' ELSE '净增' END, CAST(NULL AS VARCHAR), balance - prior
  FROM cells
  WHERE NOT is_branch AND NOT is_office
)
SELECT name, branch_code, amount
FROM bridge
WHERE EXISTS (SELECT 1 FROM cells WHERE NOT is_branch AND NOT is_office AND prior IS NOT NULL)
ORDER BY part, place
