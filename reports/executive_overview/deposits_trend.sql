-- Deposits of 24 months; from the 13th on with the same month of the year before.
WITH months AS (
  SELECT month, SUM(balance) AS balance, MEASURE(balance_daily_average) AS daily_average, MEASURE(customers) AS customers
  FROM deposits
  WHERE month BETWEEN $trend_from AND $month
  GROUP BY month
)
SELECT month, balance, daily_average, customers,
       -- a month without data would shift the twelfth row before, so the row is checked to be the right month
       CASE WHEN LAG(month, 12) OVER (ORDER BY month) = month - INTERVAL '12' MONTH
            THEN LAG(balance, 12) OVER (ORDER BY month) END AS balance_prior_year
FROM months
ORDER BY month
