-- The ten branches with the highest non-performing ratio at the as-of month.
WITH ratios AS (
  SELECT branch_code, branch, branch_name_en, MEASURE(non_performing_ratio) AS non_performing_ratio
  FROM credit
  WHERE month = $month
  GROUP BY branch_code, branch, branch_name_en
)
SELECT CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch, non_performing_ratio
FROM ratios
WHERE non_performing_ratio IS NOT NULL
ORDER BY non_performing_ratio DESC, branch_code
LIMIT 10
