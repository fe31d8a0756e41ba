-- League table: branches by deposits at the as-of month, then the total, which is asked for and not added up.
WITH balances AS (
  SELECT branch_code, branch, branch_name_en, month,
         SUM(balance) AS balance, MEASURE(balance_daily_average) AS daily_average
  FROM deposits
  WHERE month IN ($month, $prior_year)
  GROUP BY branch_code, branch, branch_name_en, month
), contributions AS (
  SELECT branch_code, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY branch_code
), total_balances AS (
  SELECT month, SUM(balance) AS balance, MEASURE(balance_daily_average) AS daily_average
  FROM deposits
  WHERE month IN ($month, $prior_year)
  GROUP BY month
), total_contribution AS (
  SELECT SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
), branches AS (
  SELECT branch_code,
         MAX(CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END) AS branch,
         MAX(CASE WHEN month = $month      THEN balance END)             AS balance,
         MAX(CASE WHEN month = $prior_year THEN balance END)             AS prior_year,
         MAX(CASE WHEN month = $month      THEN daily_average END)       AS daily_average
  FROM balances
  GROUP BY branch_code
), total AS (
  SELECT MAX(CASE WHEN month = $month      THEN balance END)       AS balance,
         MAX(CASE WHEN month = $prior_year THEN balance END)       AS prior_year,
         MAX(CASE WHEN month = $month      THEN daily_average END) AS daily_average
  FROM total_balances
), league AS (
  SELECT FALSE AS is_total, RANK() OVER (ORDER BY b.balance DESC NULLS LAST) AS place, b.branch_code, b.branch,
         b.balance, b.prior_year, b.daily_average, c.contribution, t.balance AS whole
  FROM branches b
  LEFT JOIN contributions c ON c.branch_code = b.branch_code
  CROSS JOIN total t
  UNION ALL
  SELECT TRUE AS is_total, NULL AS place, NULL AS branch_code, CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS branch,
         t.balance, t.prior_year, t.daily_average, c.contribution, t.balance AS whole
  FROM total t CROSS JOIN total_contribution c
)
SELECT is_total, place, branch_code, branch, balance,
       balance - prior_year AS since_prior_year,
       CASE WHEN prior_year > 0 THEN CAST(balance - prior_year AS DOUBLE) / CAST(prior_year AS DOUBLE) END AS since_prior_year_share,
       CASE WHEN whole > 0 THEN CAST(balance AS DOUBLE) / CAST(whole AS DOUBLE) END AS share,
       daily_average, contribution
FROM league
ORDER BY is_total, place, branch_code
