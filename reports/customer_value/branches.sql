-- Premium customers by branch, then the total, which is asked for and not added up. Where one branch only is to be seen, its
-- offices stand in place of branches.
WITH held AS (
  SELECT GROUPING(branch_code) = 0          AS is_branch,
         GROUPING(org_id) = 0               AS is_office,
         coalesce(branch_code, org_id, '')  AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(balance)                       AS balance,
         MEASURE(customers)                 AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), premium AS (
  SELECT coalesce(branch_code, org_id, '')  AS unit,
         SUM(balance)                       AS balance,
         MEASURE(balance_vs_prior_year)     AS since_prior_year,
         MEASURE(customers)                 AS customers,
         MEASURE(customers_prior_year)      AS customers_prior_year
  FROM deposits
  WHERE month = $month AND tier = 'premium'
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), earned AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), premium_earned AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month AND tier = 'premium'
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM held WHERE is_branch
), units AS (
  SELECT h.*, NOT h.is_branch AND NOT h.is_office AS is_total, p.balance AS premium_balance, p.since_prior_year,
         coalesce(p.customers, 0) AS premium, coalesce(p.customers, 0) - p.customers_prior_year AS premium_change,
         pe.contribution AS premium_contribution, e.contribution
  FROM held h
  CROSS JOIN level l
  LEFT JOIN premium p ON p.unit = h.unit
  LEFT JOIN earned e ON e.unit = h.unit
  LEFT JOIN premium_earned pe ON pe.unit = h.unit
  WHERE CASE WHEN h.is_branch THEN l.whole WHEN h.is_office THEN NOT l.whole ELSE TRUE END
)
SELECT u.is_total,
       CASE WHEN NOT u.is_total THEN RANK() OVER (PARTITION BY u.is_total ORDER BY u.premium_contribution DESC NULLS LAST)
       END AS place,
       u.branch_code,
       CASE WHEN NOT u.is_total THEN u.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       u.premium, u.premium_change, CAST(u.premium AS DOUBLE) / NULLIF(u.customers, 0) AS premium_share,
       u.premium_contribution,
       CASE WHEN u.contribution > 0 THEN CAST(u.premium_contribution AS DOUBLE) / CAST(u.contribution AS DOUBLE)
       END AS contribution_share,
       u.premium_balance, u.since_prior_year,
       CAST(u.premium_balance AS DOUBLE) / CAST(NULLIF(u.balance, 0) AS DOUBLE) AS balance_share,
       u.contribution
FROM units u
ORDER BY u.is_total, place, u.unit
