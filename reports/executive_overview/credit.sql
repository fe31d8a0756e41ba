-- Loans and cards at the as-of month beside the month before and the same month of the year before. One row.
SELECT SUM(outstanding)                            AS outstanding,
       SUM(outstanding_prior_period)               AS outstanding_prior_month,
       SUM(outstanding_prior_year)                 AS outstanding_prior_year,
       MEASURE(non_performing_ratio)               AS non_performing_ratio,
       MEASURE(non_performing_ratio_prior_period)  AS non_performing_ratio_prior_month,
       MEASURE(non_performing_ratio_prior_year)    AS non_performing_ratio_prior_year,
       MEASURE(overdue_ratio)                      AS overdue_ratio,
       MEASURE(non_performing_ratio_vs_prior_year) AS non_performing_since_prior_year
FROM credit
WHERE month = $month
