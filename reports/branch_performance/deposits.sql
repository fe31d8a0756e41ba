-- Deposits and customers of the scope at the as-of month. One row.
SELECT SUM(balance)                       AS balance,
       SUM(balance_prior_period)          AS balance_prior_month,
       SUM(balance_prior_year)            AS balance_prior_year,
       SUM(balance_year_start)            AS balance_year_start,
       MEASURE(balance_vs_prior_year)     AS since_prior_year,
       MEASURE(balance_vs_prior_year_pct) AS since_prior_year_share,
       MEASURE(balance_daily_average)     AS daily_average,
       MEASURE(customers)                 AS customers,
       MEASURE(customers_prior_period)    AS customers_prior_month,
       MEASURE(customers_prior_year)      AS customers_prior_year
FROM deposits
WHERE month = $month
