-- Accounts opened and closed in each of 12 months. An account has a last row, without a balance, in the month it closes.
WITH opened AS (
  SELECT month, COUNT(DISTINCT account_id) AS accounts
  FROM deposits
  WHERE month BETWEEN $year_back AND $month AND date_trunc('month', account_opened_on) = month
  GROUP BY month
), closed AS (
  SELECT month, COUNT(DISTINCT account_id) AS accounts
  FROM deposits
  WHERE month BETWEEN $year_back AND $month AND date_trunc('month', account_closed_on) = month
  GROUP BY month
), months AS (
  SELECT month, SUM(accounts) AS accounts
  FROM deposits
  WHERE month BETWEEN $year_back AND $month
  GROUP BY month
)
SELECT m.month, coalesce(o.accounts, 0) AS opened, coalesce(c.accounts, 0) AS closed, m.accounts
FROM months m
LEFT JOIN opened o ON o.month = m.month
LEFT JOIN closed c ON c.month = m.month
ORDER BY m.month
