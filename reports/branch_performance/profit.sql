-- Contribution and costs of the year so far beside the same months of the year before. One row.
WITH this_year AS (
  SELECT SUM(contribution) AS contribution, MEASURE(cost_income_ratio) AS cost_income_ratio
  FROM profit
  WHERE month BETWEEN $year_from AND $month
), last_year AS (
  SELECT SUM(contribution) AS contribution, MEASURE(cost_income_ratio) AS cost_income_ratio
  FROM profit
  WHERE month BETWEEN $prior_year_from AND $prior_year
)
SELECT t.contribution, l.contribution AS contribution_prior_year, t.contribution - l.contribution AS since_prior_year,
       CASE WHEN l.contribution > 0
            THEN CAST(t.contribution - l.contribution AS DOUBLE) / CAST(l.contribution AS DOUBLE)
       END AS since_prior_year_share,
       t.cost_income_ratio, l.cost_income_ratio AS cost_income_ratio_prior_year
FROM this_year t CROSS JOIN last_year l
