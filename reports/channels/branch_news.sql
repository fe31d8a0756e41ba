-- The highest and the lowest electronic share, and where it rose. One row.
WITH now AS (
  SELECT GROUPING(branch_code) = 0     AS is_branch,
         coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(electronic_share)     AS electronic_share
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), before AS (
  SELECT coalesce(branch_code, org_id) AS unit, MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM now WHERE is_branch
), placed AS (
  SELECT l.whole, n.name, n.electronic_share, n.electronic_share - b.electronic_share AS change,
         ROW_NUMBER() OVER (ORDER BY n.electronic_share DESC, n.unit) AS best,
         ROW_NUMBER() OVER (ORDER BY n.electronic_share, n.unit)      AS worst
  FROM now n
  CROSS JOIN level l
  LEFT JOIN before b ON b.unit = n.unit
  WHERE n.is_branch = l.whole AND n.electronic_share IS NOT NULL
)
SELECT COUNT(*)                                             AS units,
       COUNT(CASE WHEN change > 0 THEN 1 END)               AS rising,
       MAX(CASE WHEN best = 1 THEN name END)                AS best,
       MAX(CASE WHEN best = 1 THEN electronic_share END)    AS best_share,
       MAX(CASE WHEN worst = 1 THEN name END)               AS worst,
       MAX(CASE WHEN worst = 1 THEN electronic_share END)   AS worst_share,
       CASE WHEN bool_or(whole) AND $lang = 'en' THEN 'branches' WHEN bool_or(whole) THEN '家分行'
            WHEN $lang = 'en' THEN 'offices' ELSE '个网点' END AS noun
FROM placed
