-- Which unit has most premium customers, and which depends most on them. One row.
WITH cells AS (
  SELECT GROUPING(branch_code) = 0     AS is_branch,
         coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(customers)            AS customers
  FROM deposits
  WHERE month = $month AND tier = 'premium'
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), every AS (
  SELECT branch_code, COUNT(*) AS cells FROM deposits WHERE month = $month GROUP BY branch_code
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM every
), premium AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month AND tier = 'premium'
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), earned AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), units AS (
  SELECT c.unit, c.name, c.customers,
         CASE WHEN e.contribution > 0 THEN CAST(p.contribution AS DOUBLE) / CAST(e.contribution AS DOUBLE) END AS share
  FROM cells c
  CROSS JOIN level l
  LEFT JOIN premium p ON p.unit = c.unit
  LEFT JOIN earned e ON e.unit = c.unit
  WHERE c.is_branch = l.whole
), placed AS (
  SELECT *, ROW_NUMBER() OVER (ORDER BY customers DESC, unit)        AS most,
            ROW_NUMBER() OVER (ORDER BY share DESC NULLS LAST, unit) AS depends
  FROM units
)
SELECT MAX(CASE WHEN most = 1 THEN name END)         AS most,
       MAX(CASE WHEN most = 1 THEN customers END)    AS most_customers,
       MAX(CASE WHEN depends = 1 THEN name END)      AS depends,
       MAX(CASE WHEN depends = 1 THEN share END)     AS depends_share
FROM placed
