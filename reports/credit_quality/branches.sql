-- Branches by share of overdue balances, then the whole, which is asked for and not added up. Where one branch only is to be
-- seen, its offices stand in place of branches.
WITH now AS (
  SELECT GROUPING(branch_code) = 0         AS is_branch,
         GROUPING(org_id) = 0              AS is_office,
         coalesce(branch_code, org_id, '') AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(outstanding) AS outstanding, SUM(loans) AS loans, SUM(non_performing) AS non_performing,
         SUM(expected_loss) AS expected_loss,
         MEASURE(non_performing_ratio) AS npl_ratio, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), before AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(outstanding) AS outstanding, SUM(expected_loss) AS expected_loss,
         MEASURE(non_performing_ratio) AS npl_ratio, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $base
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM now WHERE is_branch
), units AS (
  SELECT n.*, NOT n.is_branch AND NOT n.is_office AS is_total
  FROM now n CROSS JOIN level l
  WHERE CASE WHEN n.is_branch THEN l.whole WHEN n.is_office THEN NOT l.whole ELSE TRUE END
)
SELECT u.is_total,
       CASE WHEN NOT u.is_total
            THEN RANK() OVER (PARTITION BY u.is_total ORDER BY u.overdue_ratio DESC NULLS LAST) END AS place,
       u.branch_code,
       CASE WHEN NOT u.is_total THEN u.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END          AS name,
       u.outstanding, CAST(u.outstanding AS DOUBLE) / CAST(NULLIF(b.outstanding, 0) AS DOUBLE) - 1 AS since_year_start_share,
       u.loans, u.overdue_ratio,
       CAST(u.overdue_ratio AS DOUBLE) - CAST(b.overdue_ratio AS DOUBLE)                           AS overdue_change,
       u.non_performing, u.npl_ratio, CAST(u.npl_ratio AS DOUBLE) - CAST(b.npl_ratio AS DOUBLE)     AS npl_change,
       u.expected_loss, u.expected_loss - b.expected_loss                                          AS expected_loss_change
FROM units u
LEFT JOIN before b ON b.unit = u.unit
ORDER BY u.is_total, place, u.outstanding DESC, u.unit
