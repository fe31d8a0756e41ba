-- Branches by complaints for each 100 depositors in the year so far, then the whole, which is asked for and not added up.
-- Changes on the same months of the year before. Where one branch only is to be seen, its offices stand in place of
-- branches.
WITH now AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, GROUPING(org_id) = 0 AS is_office,
         coalesce(branch_code, org_id, '') AS unit, branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time, MEASURE(average_open_days) AS days,
         SUM(reopened) AS reopened, SUM(open_cases) AS open_cases
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), before AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), calls AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, MEASURE(average_wait) AS wait, MEASURE(abandoned_rate) AS abandoned,
         MEASURE(first_contact_resolution) AS resolved
  FROM service
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), people AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, MEASURE(customers) AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM now WHERE is_branch
), units AS (
  SELECT n.*, NOT n.is_branch AND NOT n.is_office AS is_total, p.customers,
         100 * CAST(n.complaints AS DOUBLE) / NULLIF(p.customers, 0) AS per_hundred
  FROM now n
  CROSS JOIN level l
  LEFT JOIN people p ON p.unit = n.unit
  WHERE CASE WHEN n.is_branch THEN l.whole WHEN n.is_office THEN NOT l.whole ELSE n.complaints > 0 END
)
SELECT u.is_total,
       CASE WHEN NOT u.is_total THEN RANK() OVER (PARTITION BY u.is_total
           ORDER BY u.per_hundred DESC NULLS LAST) END AS place,
       u.branch_code, CASE WHEN NOT u.is_total THEN u.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       u.complaints, CASE WHEN w.complaints > 0 THEN u.complaints - coalesce(b.complaints, 0) END       AS complaints_change,
       u.customers, u.per_hundred,
       u.in_time, CAST(u.in_time AS DOUBLE) - CAST(b.in_time AS DOUBLE)                                 AS in_time_change,
       u.days, u.open_cases, u.reopened, c.wait, c.abandoned, c.resolved
FROM units u
LEFT JOIN (SELECT complaints FROM before WHERE unit = '') AS w ON TRUE
LEFT JOIN before b ON b.unit = u.unit
LEFT JOIN calls c  ON c.unit = u.unit
ORDER BY u.is_total, place, u.unit
