-- Deposits of 12 months and of the same months a year before, by branch. Nothing to compare where one branch only is seen.
WITH months AS (
  SELECT month, branch_code, CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS name,
         SUM(balance) AS balance, SUM(balance_prior_year) AS balance_prior_year
  FROM deposits
  WHERE month BETWEEN $year_back AND $month
  GROUP BY month, branch_code, branch, branch_name_en
), level AS (
  SELECT COUNT(DISTINCT branch_code) > 1 AS whole FROM months
)
SELECT m.month, m.branch_code, m.name, m.balance, m.balance_prior_year
FROM months m CROSS JOIN level l
WHERE l.whole
ORDER BY m.branch_code, m.month
