-- Deposits at the as-of month beside the month before, the start of the year and a year before. One row.
SELECT SUM(balance)                               AS balance,
       SUM(balance_prior_period)                  AS balance_prior_month,
       SUM(balance_year_start)                    AS balance_year_start,
       MEASURE(balance_vs_year_start)             AS since_year_start,
       MEASURE(balance_vs_year_start_pct)         AS since_year_start_share,
       MEASURE(balance_vs_prior_year)             AS since_prior_year,
       MEASURE(balance_vs_prior_year_pct)         AS since_prior_year_share,
       MEASURE(balance_vs_prior_period)           AS since_prior_month,
       MEASURE(balance_daily_average)             AS daily_average,
       MEASURE(customers)                         AS customers,
       MEASURE(customers_prior_period)            AS customers_prior_month,
       MEASURE(customers_prior_year)              AS customers_prior_year,
       CAST(SUM(balance) AS DOUBLE) / CAST(NULLIF(MEASURE(balance_daily_average), 0) AS DOUBLE) - 1 AS over_average
FROM deposits
WHERE month = $month
