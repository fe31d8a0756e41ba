-- Accounts opened and closed since the start of the year. One row; counted as in accounts.sql.
WITH opened AS (
  SELECT COUNT(DISTINCT account_id) AS accounts
  FROM deposits
  WHERE month BETWEEN $year_from AND $month AND date_trunc('month', account_opened_on) = month
), closed AS (
  SELECT COUNT(DISTINCT account_id) AS accounts
  FROM deposits
  WHERE month BETWEEN $year_from AND $month AND date_trunc('month', account_closed_on) = month
)
SELECT o.accounts AS opened, c.accounts AS closed
FROM opened o CROSS JOIN closed c
