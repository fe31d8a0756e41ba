-- Which branch gained and which lost most deposits in a year. One row.
WITH balances AS (
  SELECT branch_code, branch, branch_name_en, month, SUM(balance) AS balance
  FROM deposits
  WHERE month IN ($month, $prior_year)
  GROUP BY branch_code, branch, branch_name_en, month
), changes AS (
  SELECT branch_code,
         MAX(CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END) AS branch,
         SUM(CASE WHEN month = $month THEN balance ELSE -balance END)    AS change
  FROM balances
  GROUP BY branch_code
  HAVING COUNT(*) = 2
), placed AS (
  SELECT branch, change,
         ROW_NUMBER() OVER (ORDER BY change DESC, branch_code) AS best,
         ROW_NUMBER() OVER (ORDER BY change, branch_code)      AS worst
  FROM changes
)
SELECT COUNT(*)                                        AS branches,
       COUNT(CASE WHEN change > 0 THEN 1 END)          AS growing,
       MAX(CASE WHEN best = 1 THEN branch END)         AS best_branch,
       MAX(CASE WHEN best = 1 THEN change END)         AS best_change,
       MAX(CASE WHEN worst = 1 THEN branch END)        AS worst_branch,
       MAX(CASE WHEN worst = 1 THEN change END)        AS worst_change
FROM placed
