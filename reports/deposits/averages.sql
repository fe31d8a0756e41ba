-- Average daily balance and cost of the year so far beside the same months of the year before. One row.
WITH this_year AS (
  SELECT MEASURE(balance_daily_average) AS daily_average, SUM(interest) AS interest, MEASURE(cost_rate) AS cost_rate
  FROM deposits
  WHERE month BETWEEN $year_from AND $month
), last_year AS (
  SELECT MEASURE(balance_daily_average) AS daily_average, SUM(interest) AS interest, MEASURE(cost_rate) AS cost_rate
  FROM deposits
  WHERE month BETWEEN $prior_year_from AND $prior_year
)
SELECT t.daily_average, l.daily_average AS daily_average_prior_year, t.daily_average - l.daily_average AS since_prior_year,
       CAST(t.daily_average AS DOUBLE) / CAST(NULLIF(l.daily_average, 0) AS DOUBLE) - 1 AS since_prior_year_share,
       t.interest, l.interest AS interest_prior_year,
       t.cost_rate, l.cost_rate AS cost_rate_prior_year
FROM this_year t CROSS JOIN last_year l
