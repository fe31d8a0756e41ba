-- The ten branches with the highest overdue ratio at the as-of month.
WITH ratios AS (
  SELECT branch_code, branch, branch_name_en, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $month
  GROUP BY branch_code, branch, branch_name_en
)
SELECT CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch, branch_code, overdue_ratio
FROM ratios
WHERE overdue_ratio IS NOT NULL
ORDER BY overdue_ratio DESC, branch_code
LIMIT 10
