-- Loans opened in the last two years, and how many were ever overdue. One row.
WITH loans AS (
  SELECT account_id, MAX(longest_overdue) AS days
  FROM credit
  WHERE account_opened_on >= $trend_from AND month BETWEEN $trend_from AND $month
  GROUP BY account_id
)
SELECT COUNT(*) AS loans, COUNT(CASE WHEN days > 0 THEN 1 END) AS late, COUNT(CASE WHEN days > 90 THEN 1 END) AS bad,
       CASE WHEN COUNT(*) = 0 THEN ''
            ELSE concat(CASE WHEN $lang = 'en' THEN ' (' ELSE '（' END,
                        CAST(CAST(ROUND(100.0 * COUNT(CASE WHEN days > 0 THEN 1 END) / COUNT(*)) AS BIGINT) AS VARCHAR), '%',
                        CASE WHEN $lang = 'en' THEN ')' ELSE '）' END) END AS late_note
FROM loans
