-- Deposits at the as-of month beside the month before and the same month of the year before. One row.
SELECT SUM(balance)                       AS balance,
       SUM(balance_prior_period)          AS balance_prior_month,
       SUM(balance_prior_year)            AS balance_prior_year,
       MEASURE(balance_daily_average)     AS daily_average,
       MEASURE(customers)                 AS customers,
       MEASURE(customers_prior_period)    AS customers_prior_month,
       MEASURE(customers_prior_year)      AS customers_prior_year,
       MEASURE(balance_vs_prior_period)   AS since_prior_month,
       MEASURE(balance_vs_prior_year)     AS since_prior_year,
       MEASURE(balance_vs_prior_year_pct) AS since_prior_year_share
FROM deposits
WHERE month = $month
