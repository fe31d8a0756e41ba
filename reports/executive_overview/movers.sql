-- Which branch gained and which lost most deposits in a year. One row.
WITH branches AS (
  SELECT branch_code,
         CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch,
         MEASURE(balance_vs_prior_year)                             AS change
  FROM deposits
  WHERE month = $month
  GROUP BY branch_code, branch, branch_name_en
  HAVING SUM(balance) IS NOT NULL AND SUM(balance_prior_year) IS NOT NULL
), placed AS (
  SELECT branch, change,
         ROW_NUMBER() OVER (ORDER BY change DESC, branch_code) AS best,
         ROW_NUMBER() OVER (ORDER BY change, branch_code)      AS worst
  FROM branches
)
SELECT COUNT(*)                                        AS branches,
       COUNT(CASE WHEN change > 0 THEN 1 END)          AS growing,
       MAX(CASE WHEN best = 1 THEN branch END)         AS best_branch,
       MAX(CASE WHEN best = 1 THEN change END)         AS best_change,
       MAX(CASE WHEN worst = 1 THEN branch END)        AS worst_branch,
       MAX(CASE WHEN worst = 1 THEN change END)        AS worst_change
FROM placed
