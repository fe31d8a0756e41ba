-- Contribution of the year so far by unit, largest first, beside the same months of the year before.
WITH cells AS (
  SELECT GROUPING(branch_code) = 0        AS is_branch,
         coalesce(branch_code, org_id)    AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(contribution_ytd)            AS contribution,
         SUM(contribution_ytd_prior_year) AS contribution_prior_year
  FROM profit
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM cells WHERE is_branch
)
SELECT c.name, c.branch_code, c.contribution, c.contribution_prior_year
FROM cells c CROSS JOIN level l
WHERE c.is_branch = l.whole AND c.contribution IS NOT NULL
ORDER BY c.contribution DESC, c.unit
