-- From interest margin to contribution, the year so far.
WITH sums AS (
  SELECT SUM(interest_margin) AS interest_margin, SUM(fee_income) AS fee_income, SUM(direct_cost) AS direct_cost,
         SUM(allocated_cost) AS allocated_cost, SUM(expected_loss) AS expected_loss, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
), bridge AS (
  SELECT 1 AS step, CASE WHEN $lang = 'en' THEN 'Interest margin' ELSE '利差收入' END AS name, interest_margin AS amount
  FROM sums
  UNION ALL SELECT 2, CASE WHEN $lang = 'en' THEN 'Fees'           ELSE '手续费收入' END, fee_income          FROM sums
  UNION ALL SELECT 3, CASE WHEN $lang = 'en' THEN 'Direct cost'    ELSE '直接成本' END,   0 - direct_cost    FROM sums
  UNION ALL SELECT 4, CASE WHEN $lang = 'en' THEN 'Allocated cost' ELSE '分摊成本' END,   0 - allocated_cost FROM sums
  UNION ALL SELECT 5, CASE WHEN $lang = 'en' THEN 'Expected loss'  ELSE '预期损失' END,   0 - expected_loss  FROM sums
  UNION ALL SELECT 6, CASE WHEN $lang = 'en' THEN 'Contribution'   ELSE '客户贡献' END,   contribution       FROM sums
)
SELECT name, amount FROM bridge WHERE amount IS NOT NULL ORDER BY step
