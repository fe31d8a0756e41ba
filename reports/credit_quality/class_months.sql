-- Loans that are not normal, by class, 13 months.
WITH counts AS (
  SELECT month, loan_class, SUM(outstanding) AS outstanding
  FROM credit
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY month, loan_class
)
SELECT month,
       coalesce(SUM(outstanding) FILTER (WHERE loan_class = 'special_mention'), 0) AS special_mention,
       coalesce(SUM(outstanding) FILTER (WHERE loan_class = 'substandard'), 0)     AS substandard,
       coalesce(SUM(outstanding) FILTER (WHERE loan_class = 'doubtful'), 0)        AS doubtful,
       coalesce(SUM(outstanding) FILTER (WHERE loan_class = 'loss'), 0)            AS loss
FROM counts
GROUP BY month
ORDER BY month
