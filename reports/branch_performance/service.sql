-- Complaints of the year so far beside the same months of the year before. One row.
WITH this_year AS (
  SELECT SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time_rate
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
), last_year AS (
  SELECT SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time_rate
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
)
SELECT t.complaints, t.in_time_rate, l.complaints AS complaints_prior_year, l.in_time_rate AS in_time_rate_prior_year
FROM this_year t CROSS JOIN last_year l
