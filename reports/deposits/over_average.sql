-- The ten units whose balance at month end lies highest above their average of the month. A high one says that money came
-- for the day of the close.
WITH cells AS (
  SELECT GROUPING(branch_code) = 0     AS is_branch,
         coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(balance)                  AS balance,
         MEASURE(balance_daily_average) AS daily_average
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM cells WHERE is_branch
)
SELECT c.name, CASE WHEN c.is_branch THEN c.unit END AS branch_code, c.balance, c.daily_average,
       CAST(c.balance AS DOUBLE) / CAST(NULLIF(c.daily_average, 0) AS DOUBLE) - 1 AS over_average
FROM cells c CROSS JOIN level l
WHERE c.is_branch = l.whole AND c.daily_average > 0
ORDER BY over_average DESC, c.unit
LIMIT 10
