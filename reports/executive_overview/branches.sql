-- League table: branches by deposits at the as-of month, then the total, which is asked for and not added up.
WITH balances AS (
  SELECT GROUPING(branch_code) = 1          AS is_total,
         branch_code,
         CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch,
         MEASURE(balance_rank)              AS place,
         SUM(balance)                       AS balance,
         MEASURE(balance_vs_prior_year)     AS since_prior_year,
         MEASURE(balance_vs_prior_year_pct) AS since_prior_year_share,
         MEASURE(balance_share)             AS share,
         MEASURE(balance_daily_average)     AS daily_average
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), ())
), contributions AS (
  SELECT GROUPING(branch_code) = 1 AS is_total, branch_code, SUM(contribution_ytd) AS contribution
  FROM profit
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code), ())
)
SELECT b.is_total,
       CASE WHEN b.is_total THEN NULL ELSE b.place END AS place,
       b.branch_code,
       CASE WHEN NOT b.is_total THEN b.branch WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS branch,
       b.balance, b.since_prior_year, b.since_prior_year_share, b.share, b.daily_average, c.contribution
FROM balances b
LEFT JOIN contributions c ON c.is_total = b.is_total AND coalesce(c.branch_code, '') = coalesce(b.branch_code, '')
ORDER BY b.is_total, place, b.branch_code
