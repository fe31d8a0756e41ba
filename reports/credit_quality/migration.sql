-- Where balances of one month stood in the next, over the last twelve months taken together: share of the balance that was
-- in the bucket of the row at the start of a month.
WITH held AS (
  SELECT account_id, account_close_reason, month, overdue_bucket, SUM(outstanding) AS outstanding
  FROM credit
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY account_id, account_close_reason, month, overdue_bucket
), moves AS (
  SELECT p.overdue_bucket AS was, p.outstanding,
         CASE WHEN n.account_id IS NOT NULL THEN n.overdue_bucket
              WHEN p.account_close_reason = 'written_off' THEN 'written_off' ELSE 'repaid' END AS is_now
  FROM (SELECT account_id, account_close_reason, month + INTERVAL '1 month' AS month, overdue_bucket, outstanding
        FROM held WHERE month < $month) AS p
  LEFT JOIN held n ON n.account_id = p.account_id AND n.month = p.month
), sums AS (
  SELECT was, COUNT(*) AS cases, CAST(NULLIF(SUM(outstanding), 0) AS DOUBLE) AS whole,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = 'current'), 0)     AS current,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = '1-30'), 0)        AS d1,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = '31-60'), 0)       AS d31,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = '61-90'), 0)       AS d61,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = '91-180'), 0)      AS d91,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = 'over 180'), 0)    AS d181,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = 'repaid'), 0)      AS repaid,
         coalesce(SUM(outstanding) FILTER (WHERE is_now = 'written_off'), 0) AS written_off
  FROM moves
  GROUP BY was
)
SELECT CASE WHEN was = 'current' THEN CASE WHEN $lang = 'en' THEN 'Current' ELSE '未逾期' END
            WHEN was = 'over 180' THEN CASE WHEN $lang = 'en' THEN 'Over 180 days' ELSE '180 天以上' END
            ELSE concat(replace(was, '-', '–'), CASE WHEN $lang = 'en' THEN ' days' ELSE ' 天' END) END
       || CASE WHEN $lang = 'en' THEN ' (' ELSE '（' END || CAST(cases AS VARCHAR)
       || CASE WHEN $lang = 'en' THEN ')' ELSE '）' END AS bucket,
       current / whole AS current, d1 / whole AS d1, d31 / whole AS d31, d61 / whole AS d61, d91 / whole AS d91,
       d181 / whole AS d181, repaid / whole AS repaid, written_off / whole AS written_off
FROM sums
ORDER BY CASE was WHEN 'current' THEN 0 WHEN '1-30' THEN 1 WHEN '31-60' THEN 2
                  WHEN '61-90' THEN 3 WHEN '91-180' THEN 4 ELSE 5 END
