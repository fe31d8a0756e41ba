-- The unit with the most complaints for each 100 depositors, the two where they rose most, the one that answers least in
-- time, the one where calls wait longest. One row.
WITH now AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), before AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), people AS (
  SELECT coalesce(branch_code, org_id) AS unit, MEASURE(customers) AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), calls AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(average_wait) AS wait
  FROM service
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM now WHERE is_branch
), sized AS (
  SELECT n.*, l.whole, CASE WHEN 2 * n.complaints * COUNT(*) OVER () >= SUM(n.complaints) OVER () THEN 0 ELSE 1 END AS is_small
  FROM now n CROSS JOIN level l
  WHERE n.is_branch = l.whole
), longest AS (
  SELECT c.name, c.wait,
         ROW_NUMBER() OVER (ORDER BY c.wait DESC NULLS LAST, c.unit) AS place
  FROM calls c CROSS JOIN level l
  WHERE c.is_branch = l.whole
), placed AS (
  SELECT n.whole, n.name, n.complaints, n.in_time, n.complaints - coalesce(b.complaints, 0) AS change,
         SUM(n.complaints) OVER () AS complaints_whole,
         100 * CAST(n.complaints AS DOUBLE) / NULLIF(p.customers, 0) AS per_hundred,
         ROW_NUMBER() OVER (ORDER BY CAST(n.complaints AS DOUBLE) / NULLIF(p.customers, 0) DESC NULLS LAST, n.unit) AS place,
         ROW_NUMBER() OVER (ORDER BY n.is_small, n.in_time NULLS LAST, n.complaints DESC, n.unit) AS slow,
         ROW_NUMBER() OVER (ORDER BY n.complaints - coalesce(b.complaints, 0) DESC, n.unit) AS risen
  FROM sized n
  LEFT JOIN before b ON b.unit = n.unit
  LEFT JOIN people p ON p.unit = n.unit
)
SELECT COUNT(*)                                                                             AS units,
       COUNT(CASE WHEN change > 0 THEN 1 END)                                               AS rising,
       MAX(CASE WHEN place = 1 THEN name END)                                               AS worst,
       MAX(CASE WHEN place = 1 THEN complaints END)                                         AS worst_complaints,
       MAX(CASE WHEN place = 1 THEN change END)                                             AS worst_change,
       MAX(CASE WHEN place = 1 THEN per_hundred END)                                       AS worst_per_hundred,
       MAX(CASE WHEN place = 1 THEN in_time END)                                            AS worst_in_time,
       CAST(MAX(CASE WHEN place = 1 THEN complaints END) AS DOUBLE) / MAX(complaints_whole) AS worst_share,
       STRING_AGG(name, CASE WHEN $lang = 'en' THEN ' and ' ELSE '、' END ORDER BY risen)
         FILTER (WHERE risen <= 2)                                                          AS risen,
       SUM(CASE WHEN risen <= 2 THEN change END)                                            AS risen_change,
       CAST(SUM(CASE WHEN risen <= 2 THEN complaints END) AS DOUBLE) / MAX(complaints_whole) AS risen_share,
       MAX(CASE WHEN slow = 1 THEN name END)                                                AS slow,
       MAX(CASE WHEN slow = 1 THEN in_time END)                                             AS slow_in_time,
       (SELECT MAX(name) FROM longest WHERE place = 1)                                      AS longest,
       (SELECT MAX(wait) FROM longest WHERE place = 1)                                      AS longest_wait,
       CASE WHEN bool_or(whole) AND $lang = 'en' THEN 'branches' WHEN bool_or(whole) THEN '家分行'
            WHEN $lang = 'en' THEN 'offices' ELSE '个网点' END AS noun
FROM placed
