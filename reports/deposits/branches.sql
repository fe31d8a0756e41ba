-- Branches by balance with the average beside it, then the total, which is asked for and not added up. Where one branch only
-- is to be seen, its offices stand in place of branches.
WITH held AS (
  SELECT GROUPING(branch_code) = 0          AS is_branch,
         GROUPING(org_id) = 0               AS is_office,
         coalesce(branch_code, org_id, '')  AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(balance)                       AS balance,
         MEASURE(balance_vs_year_start)     AS since_year_start,
         MEASURE(balance_vs_year_start_pct) AS since_year_start_share,
         MEASURE(balance_daily_average)     AS daily_average
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), averages AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, MEASURE(balance_daily_average) AS year_average,
         MEASURE(cost_rate) AS cost_rate
  FROM deposits
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), prior AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, MEASURE(balance_daily_average) AS year_average
  FROM deposits
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), demand AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(balance) AS balance
  FROM deposits
  WHERE month = $month AND product_line = 'demand'
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM held WHERE is_branch
), units AS (
  SELECT h.*, NOT h.is_branch AND NOT h.is_office AS is_total
  FROM held h CROSS JOIN level l
  WHERE CASE WHEN h.is_branch THEN l.whole WHEN h.is_office THEN NOT l.whole ELSE TRUE END
)
SELECT u.is_total,
       CASE WHEN NOT u.is_total THEN RANK() OVER (PARTITION BY u.is_total ORDER BY u.balance DESC NULLS LAST) END AS place,
       u.branch_code,
       CASE WHEN NOT u.is_total THEN u.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       u.balance, u.since_year_start, u.since_year_start_share, u.daily_average,
       CAST(u.balance AS DOUBLE) / CAST(NULLIF(u.daily_average, 0) AS DOUBLE) - 1 AS over_average,
       a.year_average,
       CAST(a.year_average AS DOUBLE) / CAST(NULLIF(p.year_average, 0) AS DOUBLE) - 1 AS year_average_change,
       CAST(d.balance AS DOUBLE) / CAST(NULLIF(u.balance, 0) AS DOUBLE) AS demand_share,
       a.cost_rate
FROM units u
LEFT JOIN averages a ON a.unit = u.unit
LEFT JOIN prior p ON p.unit = u.unit
LEFT JOIN demand d ON d.unit = u.unit
ORDER BY u.is_total, place, u.unit
