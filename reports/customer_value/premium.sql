-- The part of premium customers in customers and contribution, of the year so far and the same months before. One row.
WITH this_year AS (
  SELECT tier, MEASURE(customers) AS customers, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((tier), ())
), last_year AS (
  SELECT tier, MEASURE(customers) AS customers, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((tier), ())
)
SELECT p.customers,
       CAST(p.customers AS DOUBLE) / NULLIF(w.customers, 0)                                   AS customers_share,
       CASE WHEN w.contribution > 0
            THEN CAST(p.contribution AS DOUBLE) / CAST(w.contribution AS DOUBLE) END          AS share,
       CASE WHEN b.contribution > 0
            THEN CAST(q.contribution AS DOUBLE) / CAST(b.contribution AS DOUBLE) END          AS share_prior_year
FROM this_year w
LEFT JOIN this_year p ON p.tier = 'premium'
LEFT JOIN last_year b ON b.tier IS NULL
LEFT JOIN last_year q ON q.tier = 'premium'
WHERE w.tier IS NULL
