-- Branches by electronic share of the year so far, then the whole, which is asked for and not added up. Where one branch
-- only is to be seen, its offices stand in place of branches. `avoided` as in year.sql.
WITH now AS (
  SELECT GROUPING(branch_code) = 0         AS is_branch,
         GROUPING(org_id) = 0              AS is_office,
         coalesce(branch_code, org_id, '') AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(transactions)                 AS transactions,
         MEASURE(electronic_share)         AS electronic_share,
         MEASURE(customers)                AS customers
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), before AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(transactions) AS transactions,
         MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), mobile AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated AND channel = 'MB'
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), counter AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated AND channel = 'CN'
  GROUP BY GROUPING SETS ((branch_code), (org_id), ())
), counter_before AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated AND channel = 'CN'
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
            THEN RANK() OVER (PARTITION BY u.is_total ORDER BY u.electronic_share DESC NULLS LAST) END AS place,
       u.branch_code,
       CASE WHEN NOT u.is_total THEN u.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       u.electronic_share,
       CAST(u.electronic_share AS DOUBLE) - CAST(b.electronic_share AS DOUBLE)                     AS electronic_change,
       CAST(coalesce(m.transactions, 0) AS DOUBLE) / NULLIF(u.transactions, 0)                     AS mobile_share,
       CAST(coalesce(c.transactions, 0) AS DOUBLE) / NULLIF(u.transactions, 0)                     AS counter_share,
       u.transactions, CAST(u.transactions AS DOUBLE) / NULLIF(b.transactions, 0) - 1              AS transactions_change,
       CAST(u.transactions AS DOUBLE) / NULLIF(u.customers, 0)                                     AS per_customer,
       CAST(ROUND((CAST(coalesce(cb.transactions, 0) AS DOUBLE) / NULLIF(b.transactions, 0)
                 - CAST(coalesce(c.transactions, 0) AS DOUBLE) / NULLIF(u.transactions, 0))
                * u.transactions, 0) AS BIGINT)                                                    AS avoided
FROM units u
LEFT JOIN before b          ON b.unit = u.unit
LEFT JOIN mobile m          ON m.unit = u.unit
LEFT JOIN counter c         ON c.unit = u.unit
LEFT JOIN counter_before cb ON cb.unit = u.unit
ORDER BY u.is_total, place, u.unit
