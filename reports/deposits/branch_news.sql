-- Who gained and who lost most since the start of the year. One row.
WITH cells AS (
  SELECT GROUPING(branch_code) = 0      AS is_branch,
         coalesce(branch_code, org_id)  AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(balance_vs_year_start) AS change
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM cells WHERE is_branch
), placed AS (
  SELECT l.whole, c.name, c.change,
         ROW_NUMBER() OVER (ORDER BY c.change DESC, c.unit) AS most,
         ROW_NUMBER() OVER (ORDER BY c.change, c.unit)      AS least
  FROM cells c CROSS JOIN level l
  WHERE c.is_branch = l.whole AND c.change IS NOT NULL
)
SELECT COUNT(*)                                 AS units,
       COUNT(CASE WHEN change > 0 THEN 1 END)   AS growing,
       MAX(CASE WHEN most = 1 THEN name END)    AS most,
       MAX(CASE WHEN most = 1 THEN change END)  AS most_change,
       MAX(CASE WHEN least = 1 THEN name END)   AS least,
       MAX(CASE WHEN least = 1 THEN change END) AS least_change,
       CASE WHEN bool_or(whole) AND $lang = 'en' THEN 'branches' WHEN bool_or(whole) THEN '家分行'
            WHEN $lang = 'en' THEN 'offices' ELSE '个网点' END AS noun
FROM placed
