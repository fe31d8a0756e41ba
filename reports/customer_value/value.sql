-- Customers and their contribution of the year so far beside the same months of the year before. One row.
WITH this_year AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
), last_year AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY customer_id
), now AS (
  SELECT COUNT(*) AS customers, SUM(contribution) AS contribution,
         COUNT(CASE WHEN contribution < 0 THEN 1 END)                                              AS losing,
         coalesce(SUM(CASE WHEN contribution < 0 THEN contribution END), CAST(0 AS DECIMAL(18,2))) AS lost
  FROM this_year
), before AS (
  SELECT COUNT(*) AS customers, SUM(contribution) AS contribution,
         COUNT(CASE WHEN contribution < 0 THEN 1 END) AS losing
  FROM last_year
)
SELECT n.customers,
       CASE WHEN b.customers > 0 THEN b.customers END                                AS customers_prior_year,
       n.contribution, b.contribution                                                AS contribution_prior_year,
       n.contribution - b.contribution                                               AS since_prior_year,
       CASE WHEN b.contribution > 0
            THEN CAST(n.contribution AS DOUBLE) / CAST(b.contribution AS DOUBLE) - 1 END AS since_prior_year_share,
       CAST(n.contribution AS DOUBLE) / NULLIF(n.customers, 0)                       AS per_customer,
       CAST(b.contribution AS DOUBLE) / NULLIF(b.customers, 0)                       AS per_customer_prior_year,
       n.losing,
       CASE WHEN b.customers > 0 THEN b.losing END                                   AS losing_prior_year,
       n.lost
FROM now n CROSS JOIN before b
