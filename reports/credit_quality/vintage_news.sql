-- Loans opened in the last two years, and how many were ever overdue. One row.
WITH loans AS (
  SELECT account_id, MAX(longest_overdue) AS days
  FROM credit
  WHERE account_opened_on >= $trend_from AND month BETWEEN $trend_from AND $month
  GROUP BY account_id
)
SELECT COUNT(*) AS loans, COUNT(CASE WHEN days > 0 THEN 1 END) AS late, COUNT(CASE WHEN days > 90 THEN 1 END) AS bad,
       CAST(COUNT(CASE WHEN days > 0 THEN 1 END) AS DOUBLE) / NULLIF(COUNT(*), 0) AS late_share
FROM loans
