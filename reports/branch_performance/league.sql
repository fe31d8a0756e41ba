-- League table: branches by deposits, then the total, which is asked for and not added up. Where one branch only is to be
-- seen, its offices stand in place of branches.
WITH held AS (
  SELECT GROUPING(branch_code) = 0               AS is_branch,
         GROUPING(org_id) = 0                    AS is_office,
         coalesce(branch_code, org_id, '')       AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(balance)                            AS balance,
         SUM(balance_prior_year)                 AS balance_prior_year,
         MEASURE(balance_vs_prior_year)          AS since_prior_year,
         MEASURE(balance_vs_prior_year_pct)      AS since_prior_year_share,
         MEASURE(customers)                      AS customers,
         MEASURE(customers_prior_year)           AS customers_prior_year
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), earned AS (
  SELECT coalesce(branch_code, org_id, '') AS unit,
         SUM(contribution_ytd)             AS contribution,
         SUM(contribution_ytd_prior_year)  AS contribution_prior_year
  FROM profit
  WHERE month = $month
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
       CASE WHEN NOT u.is_total AND u.balance_prior_year IS NOT NULL
            THEN CAST(RANK() OVER (PARTITION BY u.is_total ORDER BY u.balance_prior_year DESC NULLS LAST) AS BIGINT)
               - CAST(RANK() OVER (PARTITION BY u.is_total ORDER BY u.balance DESC NULLS LAST) AS BIGINT)
       END AS places_gained,
       u.branch_code,
       CASE WHEN NOT u.is_total THEN u.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       u.balance, u.since_prior_year, u.since_prior_year_share,
       e.contribution,
       CASE WHEN e.contribution_prior_year > 0
            THEN CAST(e.contribution - e.contribution_prior_year AS DOUBLE) / CAST(e.contribution_prior_year AS DOUBLE)
       END AS contribution_change,
       u.customers, u.customers - u.customers_prior_year AS customers_change
FROM units u
LEFT JOIN earned e ON e.unit = u.unit
ORDER BY u.is_total, place, u.unit
