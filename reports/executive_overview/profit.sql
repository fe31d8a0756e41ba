-- Contribution of the as-of month beside the month before and the same month of the year before. One row.
SELECT SUM(contribution)              AS contribution,
       SUM(contribution_prior_period) AS contribution_prior_month,
       SUM(contribution_prior_year)   AS contribution_prior_year,
       MEASURE(cost_income_ratio)     AS cost_income_ratio
FROM profit
WHERE month = $month
