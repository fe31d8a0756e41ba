-- The largest overdue loans without who owes them, the others as one row, then all, which are asked for.
WITH loans AS (
  SELECT account_id, account_opened_on, CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS unit,
         CASE WHEN $lang = 'en' THEN product_name_en ELSE product_name END AS product, overdue_bucket, loan_class,
         SUM(outstanding) AS outstanding, SUM(expected_loss) AS expected_loss, SUM(overdue_amount) AS overdue_amount,
         MAX(longest_overdue) AS days
  FROM credit
  WHERE month = $month AND overdue_bucket <> 'current'
  GROUP BY account_id, account_opened_on, branch, branch_name_en, product_name, product_name_en, overdue_bucket, loan_class
), whole AS (
  SELECT SUM(outstanding) AS outstanding, SUM(expected_loss) AS expected_loss, SUM(overdue_amount) AS overdue_amount,
         MAX(longest_overdue) AS days
  FROM credit
  WHERE month = $month AND overdue_bucket <> 'current'
), placed AS (
  SELECT *, ROW_NUMBER() OVER (ORDER BY outstanding DESC, account_id) AS place FROM loans
), listed AS (
  SELECT FALSE AS is_total, place AS line, unit, product, CAST(EXTRACT(YEAR FROM account_opened_on) AS BIGINT) AS opened,
         CASE loan_class WHEN 'normal'          THEN CASE WHEN $lang = 'en' THEN 'Normal'          ELSE '正常' END
                         WHEN 'special_mention' THEN CASE WHEN $lang = 'en' THEN 'Special mention' ELSE '关注' END
                         WHEN 'substandard'     THEN CASE WHEN $lang = 'en' THEN 'Substandard'     ELSE '次级' END
                         WHEN 'doubtful'        THEN CASE WHEN $lang = 'en' THEN 'Doubtful'        ELSE '可疑' END
                         ELSE CASE WHEN $lang = 'en' THEN 'Loss' ELSE '损失' END END AS class_name,
         days, outstanding, overdue_amount, expected_loss
  FROM placed
  WHERE place <= 10
  UNION ALL
  SELECT FALSE, 11, CASE WHEN $lang = 'en' THEN 'Other loans' ELSE '其余贷款' END, NULL, NULL, NULL, MAX(days),
         SUM(outstanding), SUM(overdue_amount), SUM(expected_loss)
  FROM placed
  WHERE place > 10
  HAVING COUNT(*) > 0
  UNION ALL
  SELECT TRUE, NULL, CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END, NULL, NULL, NULL, days, outstanding,
         overdue_amount, expected_loss
  FROM whole
  WHERE outstanding > 0
)
SELECT is_total, CASE WHEN line <= 10 THEN line END AS place, unit, product, CAST(opened AS VARCHAR) AS opened,
       class_name, days,
       outstanding, overdue_amount, expected_loss
FROM listed
ORDER BY is_total, line
